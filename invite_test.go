package croft

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The vectors of BIP-350 for bech32m. Capitals, and texts above 90 characters, are
// a matter of ParseInvite, which takes longer ones.
func TestBech32mVectors(t *testing.T) {
	for _, good := range []string{
		"a1lqfn3a",
		"an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
		"abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx",
		"11llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllludsr8",
		"split1checkupstagehandshakeupstreamerranterredcaperredlc445v",
		"?1v759aa",
	} {
		if _, _, ok := checked(good); !ok {
			t.Errorf("%s is refused", good)
		}
	}
	for _, bad := range []string{
		"\x201xj0phk", "\x7f1g6xzxy", "\u00801vctc34", // mark out of range
		"qyrz8wqd2c9m", "1qyrz8wqd2c9m", "16plkw9", "1p2gdwpf", // no mark
		"y1b0jsk6g", "lt1igcx5c0", // data that is not of the 32 characters
		"in1muywd",               // checksum too short
		"mm1crxm3i", "au1s5cgom", // a character of the checksum
		"m1vuxwez",                                                                 // a checksum over capitals
		"a12uel5l", "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", // bech32, not bech32m
	} {
		if mark, symbols, ok := checked(bad); ok {
			t.Errorf("%q is taken: %s %v", bad, mark, symbols)
		}
	}
	if mark, symbols, _ := checked("abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx"); mark != "abcdef" || len(symbols) != 32 || symbols[0] != 31 || symbols[31] != 0 {
		t.Errorf("%s %v", mark, symbols)
	}
}

func sample() Invite {
	v := Invite{Network: NetworkID(Sum([]byte("network"))), Node: PublicKey(Sum([]byte("node"))), Expires: 1_900_000_000,
		Addrs: []Addr{{netip.MustParseAddrPort("192.0.2.7:7421"), false}, {netip.MustParseAddrPort("192.0.2.7:7421"), true}, {netip.MustParseAddrPort("198.51.100.1:80"), false}}}
	copy(v.Secret[:], "sixteen bytes ok")
	return v
}

// The golden code pins format and version.
func TestInviteCode(t *testing.T) {
	v := sample()
	code, err := v.Code()
	if err != nil || len(code) > MaxInvite || code != golden {
		t.Fatalf("%d characters: %s %v", len(code), code, err)
	}
	for name, text := range map[string]string{"as it is": code, "in capitals": strings.ToUpper(code), "wrapped by a mail": " " + code[:70] + "\r\n  " + code[70:] + "\n",
		"out of a letter": "„" + code[:9] + "\u00ad" + code[9:] + "”", "out of a page": "\ufeff<\u00a0`" + code + "`>"} {
		again, err := ParseInvite(text)
		if code2, _ := again.Code(); err != nil || code2 != code || again.Public() != v.Public() {
			t.Errorf("%s: %v %+v", name, err, again)
		}
	}
	for i := range code { // one wrong or missing character is always found
		for _, slip := range []string{code[:i] + "q" + code[i+1:], code[:i] + "p" + code[i+1:], code[:i] + code[i+1:], code[:i] + strings.ToUpper(code[i:i+1]) + code[i+1:]} {
			if _, err := ParseInvite(slip); slip != code && !errors.Is(err, ErrInviteCode) {
				t.Fatalf("%s was taken for %s", slip, code)
			}
		}
	}
	v6 := Addr{netip.MustParseAddrPort("[2001:db8::1]:7421"), true}
	for name, change := range map[string]func(*Invite){
		"no address":         func(v *Invite) { v.Addrs = nil },
		"four addresses":     func(v *Invite) { v.Addrs = append(v.Addrs, v.Addrs[0]) },
		"too long":           func(v *Invite) { v.Addrs = []Addr{v6, v6} },
		"no expiry":          func(v *Invite) { v.Expires = 0 },
		"expiry after 2106":  func(v *Invite) { v.Expires = 1 << 32 },
		"every interface":    func(v *Invite) { v.Addrs = []Addr{{netip.MustParseAddrPort("0.0.0.0:7421"), false}} },
		"no port":            func(v *Invite) { v.Addrs = []Addr{{netip.MustParseAddrPort("192.0.2.7:0"), false}} },
		"an address of none": func(v *Invite) { v.Addrs = []Addr{{}} },
	} {
		v := sample()
		change(&v)
		if code, err := v.Code(); !errors.Is(err, ErrInvite) {
			t.Errorf("%s: %s %v", name, code, err)
		}
	}
	v.Addrs = []Addr{v6, {netip.MustParseAddrPort("192.0.2.7:7421"), false}}
	if code, err := v.Code(); err != nil || len(code) > MaxInvite {
		t.Errorf("one address of each family: %d characters, %v", len(code), err)
	}
}

const golden = "croft1qycqn0nkn7u0j4hggylwnulqsdhrf95tcsz9059pp32f6tku7qxvzumf0p6x2etwyp38jar9wvsx7665t6jns3ssq0haerypcfz9xxcq8ahjdn7v7mqqwwej8877may5gecnlvcqqrqqqqs8rn7s9sqqqgr3elgqccekgqgq2q8ghtu8"

func TestInviteRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v Invite
		copy(v.Network[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "network"))
		copy(v.Secret[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "secret"))
		copy(v.Node[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "node"))
		v.Expires = rapid.Int64Range(1, 1<<32-1).Draw(t, "expires")
		for range rapid.IntRange(1, 3).Draw(t, "addresses") {
			ip := rapid.SliceOfN(rapid.ByteRange(1, 255), 4, 4).Draw(t, "ip")
			addr, _ := netip.AddrFromSlice(ip)
			v.Addrs = append(v.Addrs, Addr{netip.AddrPortFrom(addr, rapid.Uint16Min(1).Draw(t, "port")), rapid.Bool().Draw(t, "quic")})
		}
		code, err := v.Code()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseInvite(code)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := again.Code(); text != code || again.Network != v.Network || again.Secret != v.Secret || again.Node != v.Node || again.Expires != v.Expires {
			t.Fatalf("%+v became %+v", v, again)
		}
		for i, a := range again.Addrs {
			if b, ok := ParseAddr(a.String() + "/p2p/x"); a != v.Addrs[i] || !ok || a != b {
				t.Fatalf("%v became %v, %v", v.Addrs[i], a, b)
			}
		}
	})
}

func TestParseAddr(t *testing.T) {
	for text, want := range map[string]bool{
		"/ip4/192.0.2.1/tcp/4001": true, "/ip6/2001:db8::1/udp/4001/quic-v1": true, "/ip4/192.0.2.1/tcp/4001/p2p/12D3": true,
		"": false, "/ip4/192.0.2.1": false, "/ip4/192.0.2.1/udp/4001": false, "/ip4/192.0.2.1/udp/4001/quic": false, "/ip4/192.0.2.1/tcp/99999": false,
		"/dns4/example.org/tcp/4001": false, "/ip6/192.0.2.1/tcp/1": false, "/ip4/2001:db8::1/tcp/1": false, "/ip4/192.0.2.01/tcp/1": false, "/memory/1/p2p/x": false,
	} {
		if a, ok := ParseAddr(text); ok != want {
			t.Errorf("%q: %v %v", text, a, ok)
		}
	}
}

// The digits depend on everything that a vote would admit.
func TestCheckDigits(t *testing.T) {
	m := Member{Name: "Clinic B", Key: PublicKey{1}, Node: PublicKey{2}, Validator: PublicKey{3}}
	m.ID = IDOf(m.Key)
	network := NetworkID{9}
	if got := CheckDigits(network, m); got != "4104 4702 1516" {
		t.Errorf("the digits are %s: both sides must compute the same in all versions", got)
	}
	seen := map[string]bool{CheckDigits(network, m): true, CheckDigits(NetworkID{8}, m): true}
	for _, change := range []func(*Member){
		func(m *Member) { m.Name = "Clinic b" }, func(m *Member) { m.Key[0]++ }, func(m *Member) { m.Node[0]++ },
		func(m *Member) { m.Validator[0]++ }, func(m *Member) { m.Seat = true }, func(m *Member) { m.ID[0]++ },
	} {
		other := m
		change(&other)
		seen[CheckDigits(network, other)] = true
	}
	if len(seen) != 8 {
		t.Errorf("two different applications have the same digits: %v", seen)
	}
}

func FuzzParseInvite(f *testing.F) {
	code, _ := sample().Code()
	f.Add(code)
	f.Add(strings.ToUpper(code))
	f.Add(code[:len(code)-1])
	f.Add("croft1")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseInvite(text)
		if err != nil {
			if !errors.Is(err, ErrInviteCode) {
				t.Fatal(err)
			}
			return
		}
		code, err := v.Code()
		if err != nil || code != strings.ToLower(strings.Map(unpasted, text)) {
			t.Fatalf("%q is read as %s, %v", text, code, err)
		}
	})
}
