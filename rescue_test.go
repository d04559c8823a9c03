package croft

import (
	"errors"
	"strings"
	"testing"
)

func rescued() Genesis {
	return Genesis{Version: 1, Name: "valley", Time: 1_900_000_000, Members: []Member{{ID: MemberID(Sum([]byte("ben"))), Name: "Ben"}},
		Previous: NetworkID(Sum([]byte("network"))), State: Sum([]byte("state")),
		Rescue: &Rescue{Chain: "croft-1", Height: 7, AppHash: Sum([]byte("app")), Of: 3, Signed: []Endorsement{{Member: MemberID(Sum([]byte("ben")))}}}}
}

func TestRescueCode(t *testing.T) {
	g := rescued()
	code := g.RescueCode()
	mail := "> Dear all,\r\nthis is it: " + code[:40] + "\r\n" + code[40:] + "\r\n\r\nBen\r\n"
	for _, text := range []string{code, mail} {
		if again, err := ParseRescue(text); err != nil || HashOf(again) != HashOf(g) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for i := range code {
		if _, err := ParseRescue(code[:i] + "-" + code[i+1:]); code[i] != '-' && !errors.Is(err, ErrEncoding) {
			t.Fatalf("a wrong character at %d: %v", i, err)
		}
		if _, err := ParseRescue(code[:i]); !errors.Is(err, ErrEncoding) {
			t.Fatalf("cut off at %d: %v", i, err)
		}
	}
	for name, text := range map[string]string{"too long": strings.Repeat(" ", maxRescue) + code, "a founder's": Genesis{Version: 1}.RescueCode()} {
		if _, err := ParseRescue(text); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A successor keeps the network's id; its own hash and chain do not depend on who
// has signed already.
func TestSuccessorsIdentity(t *testing.T) {
	g := rescued()
	bare, later := g.unsigned(), g.unsigned()
	later.Rescue.Height++
	if g.Network() != g.Previous || g.Hash() != bare.Hash() || g.Scope() != bare.Scope() || len(g.Rescue.Signed) != 1 {
		t.Errorf("%v %v", g.Scope(), bare.Scope())
	}
	if g.Scope() == later.Scope() || len(g.Scope().Chain) > 50 { // CometBFT's bound
		t.Errorf("%v %v", g.Scope(), later.Scope())
	}
	founded := Genesis{Version: 1, Name: "valley"}
	if founded.Network() != NetworkID(HashOf(founded)) || Hash(founded.Network()) != founded.Hash() || !strings.HasSuffix(founded.Scope().Chain, "-1") {
		t.Errorf("%v", founded.Scope())
	}
	for signed, missing := range []int{2, 1, 0, 0} {
		if r := (Rescue{Of: 3, Signed: make([]Endorsement, signed)}); r.Missing() != missing {
			t.Errorf("%d of 3 signed: %d missing", signed, r.Missing())
		}
	}
}

func FuzzParseRescue(f *testing.F) {
	f.Add(rescued().RescueCode())
	f.Add("rescue1.")
	f.Add("rescue1.AAAAAAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if g, err := ParseRescue(text); err == nil {
			if again, err := ParseRescue(g.RescueCode()); err != nil || HashOf(again) != HashOf(g) {
				t.Errorf("%v", err)
			}
		}
	})
}
