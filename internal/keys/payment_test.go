package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"croft"
)

func TestPaymentKeyIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenPayment(dir); !errors.Is(err, croft.ErrKeyFile) && !errors.Is(err, croft.ErrFolder) {
		t.Fatal("no folder of keys: ", err)
	}
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, folder, paymentFile)
	if err := os.WriteFile(path+".new", []byte("cut off"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPayment(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenPayment(dir)
	if err != nil || again.Public() != p.Public() {
		t.Fatal(err)
	}
	scope := croft.Scope{Chain: "c"}
	if !scope.Verify(p.Public(), "voucher", []byte("x"), again.Sign(scope, "voucher", []byte("x"))) {
		t.Fatal("does not sign")
	}
	for _, text := range []string{fmt.Sprint(p), fmt.Sprintf("%v %+v %#v", p, p, p)} {
		if strings.Contains(text, fmt.Sprint(p.secret[0])+" ") {
			t.Fatal(text)
		}
	}
	if err := os.WriteFile(path, []byte("rot"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPayment(dir); !errors.Is(err, croft.ErrKeyFile) {
		t.Fatal(err)
	}
}
