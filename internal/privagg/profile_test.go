package privagg

import (
	"fmt"
	"math/big"
	"os"
	"strings"
	"testing"
)

var corruptShares = []*big.Rat{big.NewRat(1, 20), big.NewRat(1, 10), big.NewRat(1, 5), big.NewRat(1, 3)}

// The table of P[privacy lost]: its figures were worked out by hand before there was
// code, to two digits.
func TestPrivacyLost(t *testing.T) {
	for _, row := range []struct {
		p    Profile
		want [5]string // the last: 20 organisations, 6 of them corrupt
	}{
		{Profile{4, 1}, [5]string{"1.4e-02", "5.2e-02", "1.8e-01", "4.1e-01", "3.4e-01"}},
		{Profile{5, 2}, [5]string{"1.2e-03", "8.6e-03", "5.8e-02", "2.1e-01", "1.3e-01"}},
		{Profile{5, 3}, [5]string{"3.0e-05", "4.6e-04", "6.7e-03", "4.5e-02", "1.4e-02"}},
		{Profile{7, 2}, [5]string{"3.8e-03", "2.6e-02", "1.5e-01", "4.3e-01", "3.4e-01"}},
		{Profile{7, 3}, [5]string{"1.9e-04", "2.7e-03", "3.3e-02", "1.7e-01", "7.8e-02"}},
		{Profile{7, 4}, [5]string{"6.0e-06", "1.8e-04", "4.7e-03", "4.5e-02", "7.2e-03"}},
		{Profile{7, 5}, [5]string{"1.0e-07", "6.4e-06", "3.7e-04", "6.9e-03", "1.8e-04"}},
		{Profile{9, 6}, [5]string{"2.6e-08", "3.0e-06", "3.1e-04", "8.3e-03", "0.0e+00"}},
		{Profile{10, 7}, [5]string{"1.6e-09", "3.7e-07", "7.8e-05", "3.4e-03", "0.0e+00"}},
	} {
		for i, want := range row.want {
			lost := lostAmong(row.p)
			if i < len(corruptShares) {
				lost = row.p.PrivacyLost(corruptShares[i])
			}
			if got := scientific(lost); got != want {
				t.Errorf("%v, column %d: %s, want %s", row.p, i, got, want)
			}
		}
	}
	for _, sure := range []struct{ share, want int64 }{{0, 0}, {1, 1}} {
		if got := (Profile{5, 2}).PrivacyLost(big.NewRat(sure.share, 1)); got.Cmp(big.NewRat(sure.want, 1)) != 0 {
			t.Errorf("if %d of all are corrupt: %v", sure.share, got)
		}
	}
}

// lostAmong returns the probability where the seats are drawn from 20
// organisations, one seat each, of which 6 are corrupt.
func lostAmong(p Profile) *big.Rat {
	choose := func(n, k int) *big.Int { return new(big.Int).Binomial(int64(n), int64(k)) }
	sum := new(big.Int)
	for k := p.Needed(); k <= min(p.Seats, 6); k++ {
		sum.Add(sum, new(big.Int).Mul(choose(6, k), choose(14, p.Seats-k)))
	}
	return new(big.Rat).SetFrac(sum, choose(20, p.Seats))
}

// scientific writes a probability with two digits.
func scientific(p *big.Rat) string {
	f, _ := p.Float64()
	return fmt.Sprintf("%.1e", f)
}

// The page about proofs shows the table as the code works it out.
func TestPrivacyLostIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/proofs.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for m := MinSeats; m <= MaxSeats; m++ {
		for threshold := max(1, m/2-1); threshold <= m-2; threshold++ {
			p := Profile{m, threshold}
			cells := []string{fmt.Sprintf("(%d,%d)", m, threshold), fmt.Sprint(p.Needed()), fmt.Sprint(m - p.Needed()), fmt.Sprint(p.located(m))}
			for _, share := range corruptShares {
				cells = append(cells, scientific(p.PrivacyLost(share)))
			}
			rows = append(rows, "| "+strings.Join(append(cells, scientific(lostAmong(p))), " | ")+" |")
		}
	}
	if table := strings.Join(rows, "\n") + "\n"; !strings.Contains(string(page), table) {
		t.Errorf("docs/proofs.md does not hold this table:\n%s", table)
	}
}
