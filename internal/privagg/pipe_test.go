package privagg

import (
	"bytes"
	"errors"
	"testing"

	"croft"
)

func newKey(t *testing.T) *PrivateKey {
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pipe sets up both ends by a real key exchange.
func pipe(t *testing.T, key *PrivateKey, link Link) (*Sender, *Receiver) {
	out, err := NewSender(key.Public(), link)
	if err != nil {
		t.Fatal(err)
	}
	first, err := out.Seal(0, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	in, err := NewReceiver(key, link, first)
	if err != nil {
		t.Fatal(err)
	}
	return out, in
}

func seal(t *testing.T, s *Sender, round uint32, aad, text string) []byte {
	sealed, err := s.Seal(round, []byte(aad), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

var aLink = Link{Scope: croft.Scope{Network: croft.NetworkID{1}, Chain: "croft-1"}, Study: croft.StudyID{2}, From: croft.MemberID{3}, To: croft.MemberID{4}}

func TestPipeCarriesMessages(t *testing.T) {
	out, in := pipe(t, newKey(t), aLink)
	for _, round := range []uint32{0, 1, 7, 3, 300} { // rounds may be missed and may come late
		got, err := in.Open(round, []byte("what"), seal(t, out, round, "what", "text"))
		if err != nil || string(got) != "text" {
			t.Fatalf("round %d: %q, %v", round, got, err)
		}
	}
	if a, b := seal(t, out, 5, "what", "text"), seal(t, out, 5, "what", "text"); !bytes.Equal(a, b) {
		t.Error("the same message sealed again differs")
	}
	seen := map[string]bool{}
	for _, text := range []string{"", "a", "b", "whata"} {
		for _, aad := range []string{"", "what", "wha", "whatt"} {
			m, err := decodeMessage(seal(t, out, 5, aad, text))
			if err != nil || seen[string(m.Box[:nonceSize])] {
				t.Errorf("%q %q: two messages share a nonce, or %v", aad, text, err)
			}
			seen[string(m.Box[:nonceSize])] = true
		}
	}
}

func TestPipeRefusesWhatIsNotMeant(t *testing.T) {
	key := newKey(t)
	out, in := pipe(t, key, aLink)
	sealed := seal(t, out, 2, "what", "text")
	refused := func(name string, r *Receiver, round uint32, aad string, sealed []byte) {
		t.Helper()
		if got, err := r.Open(round, []byte(aad), sealed); !errors.Is(err, croft.ErrSealed) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	refused("another round", in, 3, "what", sealed)
	refused("another purpose", in, 2, "else", sealed)
	refused("too far ahead", in, 1<<20, "what", sealed)
	refused("empty", in, 2, "what", nil)
	refused("short box", in, 2, "what", croft.Encode(message{Box: make([]byte, 27)}))
	refused("short encapsulation", in, 2, "what", croft.Encode(message{Enc: make([]byte, 9), Box: make([]byte, 99)}))
	refused("too long", in, 2, "what", make([]byte, maxMessage+1))
	for i := len(sealed) - 40; i < len(sealed); i++ {
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1
		refused("flipped", in, 2, "what", flipped)
	}
	for name, change := range map[string]func(*Link){
		"network": func(l *Link) { l.Scope.Network[0]++ }, "chain": func(l *Link) { l.Scope.Chain += "1" },
		"study": func(l *Link) { l.Study[0]++ }, "sender": func(l *Link) { l.From[0]++ }, "receiver": func(l *Link) { l.To[0]++ },
	} {
		link := aLink
		change(&link)
		other, err := NewReceiver(key, link, sealed)
		if err != nil {
			t.Fatal(err)
		}
		refused("another "+name, other, 2, "what", sealed)
	}
	other, err := NewReceiver(newKey(t), aLink, sealed)
	if err == nil {
		refused("another key", other, 2, "what", sealed)
	}
	bad := key.Public()
	for i := range 1184 { // no coefficient of ML-KEM may be 4095
		bad[i] = 0xff
	}
	if _, err := NewSender(bad, aLink); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("invalid key: %v", err)
	}
}

func TestForgottenRoundsCannotBeOpened(t *testing.T) {
	key := newKey(t)
	out, in := pipe(t, key, aLink)
	old, next := seal(t, out, 4, "", "old"), seal(t, out, 5, "", "next")
	for range 2 { // again after a crash
		if in.Forget(4) != nil || out.Forget(4) != nil {
			t.Fatal("cannot forget")
		}
	}
	if _, err := in.Open(4, nil, old); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("opened a forgotten round: %v", err)
	}
	if _, err := out.Seal(4, nil, nil); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("sealed a forgotten round: %v", err)
	}
	if got, err := in.Open(5, nil, next); err != nil || string(got) != "next" {
		t.Errorf("%q, %v", got, err)
	}
	if err := in.Forget(1 << 30); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("forgot far ahead: %v", err)
	}
	// Nothing on disk leads back: the state is a hash of the old one.
	fresh, _ := NewReceiver(key, aLink, next)
	if bytes.Contains(in.Marshal(), fresh.chain[:]) {
		t.Error("the old chain is still there")
	}
}

func TestPipeSurvivesTheDisk(t *testing.T) {
	key := newKey(t)
	bytesOf, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if key, err = ParsePrivateKey(bytesOf); err != nil {
		t.Fatal(err)
	}
	out, in := pipe(t, key, aLink)
	out.Forget(2)
	out2, err1 := UnmarshalSender(out.Marshal())
	in2, err2 := UnmarshalReceiver(in.Marshal())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if !bytes.Equal(seal(t, out, 3, "a", "b"), seal(t, out2, 3, "a", "b")) {
		t.Error("the sender seals otherwise after a restart")
	}
	if got, err := in2.Open(3, []byte("a"), seal(t, out2, 3, "a", "b")); err != nil || string(got) != "b" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := UnmarshalReceiver(out.Marshal()); !errors.Is(err, croft.ErrEncoding) {
		t.Errorf("a sender became a receiver: %v", err)
	}
	if _, err := ParsePrivateKey(bytesOf[1:]); !errors.Is(err, croft.ErrEncoding) {
		t.Errorf("31 bytes became a key: %v", err)
	}
}

// The encapsulation travels until it is known to have arrived, so a seat that was
// away in the first round can still begin in the second.
func TestEncapsulationTravelsUntilConfirmed(t *testing.T) {
	key := newKey(t)
	out, _ := pipe(t, key, aLink)
	second := seal(t, out, 1, "", "hello")
	late, err := NewReceiver(key, aLink, second)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := late.Open(1, nil, second); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	out.Confirm()
	third := seal(t, out, 2, "", "short")
	if len(third) > 64 {
		t.Errorf("%d bytes after Confirm", len(third))
	}
	if got, err := late.Open(2, nil, third); err != nil || string(got) != "short" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := NewReceiver(key, aLink, third); !errors.Is(err, croft.ErrSealed) {
		t.Errorf("began without an encapsulation: %v", err)
	}
}
