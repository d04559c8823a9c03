package fed

import (
	"cmp"
	"math"
	"slices"
)

// maxLoss is what one row adds to the log-loss at most: its probability counts
// as at least e⁻³² ≈ 1.3e-14 (scikit-learn clips at 2e-16). It makes the bound of
// the report a public constant.
const maxLoss = 32

// scoreLen is how many numbers a score has in a report.
const scoreLen = 9

// Score says how well a model fitted rows that it had not seen: totals that add
// over sites. The pairs are of two rows of the same site, one of each class, or,
// with cox, of which it is known who had the event first. What a row loses is its
// log-loss; with linear the squared error of the label mapped to [−1, 1]; with
// poisson half its deviance. What a family has no use for is 0.
type Score struct {
	Rows       int64 `cbor:"1,keyasint,omitempty"`
	Positive   int64 `cbor:"2,keyasint,omitempty"`
	Correct    int64 `cbor:"3,keyasint,omitempty"` // at probability 0.5
	Concordant int64 `cbor:"4,keyasint,omitempty"` // twice the pairs with the positive above; a tie counts once
	Pairs      int64 `cbor:"5,keyasint,omitempty"`
	PairRows   int64 `cbor:"6,keyasint,omitempty"` // Σ over sites of pairs × rows
	Loss       Fixed `cbor:"7,keyasint,omitempty"` // mean loss of a row, each at most 32
	Square     Fixed `cbor:"8,keyasint,omitempty"` // mean of its square
	Brier      Fixed `cbor:"9,keyasint,omitempty"` // mean of (probability − label)²
}

// ScoreOf scores the probabilities that a model gives to the rows of one site.
// It is the score that the network's evaluation gives, for comparisons with
// models that were not trained here.
func ScoreOf(probability, y []float64) Score {
	eta := make([]float64, len(probability))
	for i, p := range probability {
		eta[i] = math.Log(p / (1 - p))
	}
	t := tally(eta, y)
	n := max(t[0], 1)
	mean := func(v float64) Fixed { return Fixed(math.RoundToEven(math.Ldexp(v/n, fixedBits))) }
	return Score{int64(t[0]), int64(t[1]), int64(t[2]), int64(t[3]), int64(t[4]), int64(t[5]), mean(t[6]), mean(t[7]), mean(t[8])}
}

// Majority scores the model that knows the training labels' base rate and
// nothing else. One row half positive, half negative is added to them, so that
// no outcome is impossible.
func Majority(train, test []float64) Score {
	rate := (total(train) + 0.5) / float64(len(train)+1)
	probability := make([]float64, len(test))
	for i := range probability {
		probability[i] = rate
	}
	return ScoreOf(probability, test)
}

// tally returns a score's numbers as they stand in a report, losses as totals.
func tally(eta, y []float64) (t [scoreLen]float64) {
	order := make([]int, len(eta))
	for i := range order {
		order[i] = i
		l, p := min(loss(eta[i], y[i]), maxLoss), sigmoid(eta[i])
		t[0]++
		t[1] += y[i]
		if (eta[i] >= 0) == (y[i] == 1) {
			t[2]++
		}
		t[6] += l
		t[7] += l * l
		t[8] += (p - y[i]) * (p - y[i])
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(eta[a], eta[b]) })
	below := 0.0 // negatives strictly below the current tie
	for i := 0; i < len(order); {
		positives, negatives := 0.0, 0.0
		for tie := eta[order[i]]; i < len(order) && eta[order[i]] == tie; i++ {
			positives += y[order[i]]
			negatives += 1 - y[order[i]]
		}
		t[3] += positives * (2*below + negatives)
		below += negatives
	}
	t[4] = t[1] * (t[0] - t[1])
	t[5] = t[4] * t[0]
	return t
}

// Estimate is a number with its 95 % confidence interval.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// z95 is the normal distribution's 97.5 % point.
const z95 = 1.959963984540054

// Accuracy returns the share of rows on the right side of 0.5, with Wilson's
// interval. Without rows it is 0 in [0, 1].
func (s Score) Accuracy() Estimate {
	if s.Rows == 0 {
		return Estimate{0, 0, 1}
	}
	n := float64(s.Rows)
	share := float64(s.Correct) / n
	middle := (share + z95*z95/(2*n)) / (1 + z95*z95/n)
	half := z95 / (1 + z95*z95/n) * math.Sqrt(share*(1-share)/n+z95*z95/(4*n*n))
	return Estimate{share, max(middle-half, 0), min(middle+half, 1)}
}

// LogLoss returns the mean log-loss (natural logarithm) ± 1.96 standard errors.
// With fewer than two rows the interval is [0, 32].
func (s Score) LogLoss() Estimate {
	mean := s.Loss.Float()
	if s.Rows < 2 {
		return Estimate{mean, 0, maxLoss}
	}
	half := z95 * math.Sqrt(max(s.Square.Float()-mean*mean, 0)/float64(s.Rows-1))
	return Estimate{mean, max(mean-half, 0), mean + half}
}

// AUC returns the probability that of two rows of one site, one of each class,
// the positive has the higher score; a tie counts half. The interval holds all θ
// with |AUC − θ| ≤ 1.96·√V(θ), where V is Newcombe's form of the Hanley–McNeil
// variance (Statistics in Medicine 2006, 25:559–573, method 5),
//
//	V(θ) = θ(1−θ)/P²·Σ P_s·(1 + (n_s/2 − 1)·h(θ)),  h(θ) = (1−θ)/(2−θ) + θ/(1+θ)
//
// summed over sites s with n_s rows and P_s pairs. Unlike a Wald interval it is
// honest for few rows and an AUC of 1. Without pairs it is ½ in [0, 1].
func (s Score) AUC() Estimate {
	if s.Pairs == 0 {
		return Estimate{0.5, 0, 1}
	}
	pairs := float64(s.Pairs)
	auc := float64(s.Concordant) / (2 * pairs)
	beyond := func(theta float64) bool {
		h := (1-theta)/(2-theta) + theta/(1+theta)
		variance := theta * (1 - theta) / (pairs * pairs) * (pairs + (float64(s.PairRows)/2-pairs)*h)
		return math.Abs(auc-theta) > z95*math.Sqrt(variance)
	}
	edge := func(out float64) float64 { // bisects between a θ too far out and the AUC
		in := auc
		for range 60 {
			if middle := (in + out) / 2; beyond(middle) {
				out = middle
			} else {
				in = middle
			}
		}
		return in
	}
	return Estimate{auc, edge(0), edge(1)}
}
