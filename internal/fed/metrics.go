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

// maxError is what the error of a row counts as at most where the label counts.
const maxError = 1024

// The numbers of a score in a report.
const (
	atRows = iota
	atPositive
	atCorrect
	atFlagged
	atConcordant
	atPairs
	atPairRows
	atLoss
	atSquare
	atBrier
	scoreLen
)

// Score says how well a model fitted rows that it had not seen: totals that add
// over sites. The pairs are of two rows of the same site, one of each class, or,
// with cox, of which it is known who had the event first. What a row loses is its
// log-loss; with linear the squared error of the label mapped to [−1, 1]; with
// poisson half its deviance. What a family has no use for is 0.
type Score struct {
	Rows       int64 `cbor:"1,keyasint,omitempty"`
	Positive   int64 `cbor:"2,keyasint,omitempty"`
	Correct    int64 `cbor:"3,keyasint,omitempty"` // with those taken for positive that reach the threshold
	Concordant int64 `cbor:"4,keyasint,omitempty"` // twice the pairs with the positive above; a tie counts once
	Pairs      int64 `cbor:"5,keyasint,omitempty"`
	PairRows   int64 `cbor:"6,keyasint,omitempty"`  // Σ over sites of pairs × rows
	Loss       Fixed `cbor:"7,keyasint,omitempty"`  // mean loss of a row, each at most 32
	Square     Fixed `cbor:"8,keyasint,omitempty"`  // mean of its square
	Brier      Fixed `cbor:"9,keyasint,omitempty"`  // mean of (probability − label)²; with poisson of (rate − count)², a row's at most 2²⁰
	Flagged    int64 `cbor:"10,keyasint,omitempty"` // rows that reach the threshold
}

// ScoreOf scores the probabilities that a model gives to the rows of one site.
// It is the score that the network's evaluation gives, for comparisons with
// models that were not trained here.
func ScoreOf(probability, y []float64) Score {
	eta := make([]float64, len(probability))
	for i, p := range probability {
		eta[i] = math.Log(p / (1 - p))
	}
	return scoreOf(tally(eta, y, 0))
}

// scoreOf makes a score of its numbers in the report of one site.
func scoreOf(t [scoreLen]float64) Score {
	mean := func(v float64) Fixed { return Fixed(math.RoundToEven(math.Ldexp(v/max(t[atRows], 1), fixedBits))) }
	return Score{
		Rows: int64(t[atRows]), Positive: int64(t[atPositive]), Correct: int64(t[atCorrect]), Flagged: int64(t[atFlagged]),
		Concordant: int64(t[atConcordant]), Pairs: int64(t[atPairs]), PairRows: int64(t[atPairRows]),
		Loss: mean(t[atLoss]), Square: mean(t[atSquare]), Brier: mean(t[atBrier]),
	}
}

// tally returns a score's numbers as they stand in a report, losses as totals. Rows
// with η ≥ cut are taken for positive.
func tally(eta, y []float64, cut float64) (t [scoreLen]float64) {
	order := make([]int, len(eta))
	for i := range order {
		order[i] = i
		l, p := min(loss(eta[i], y[i]), maxLoss), sigmoid(eta[i])
		t[atRows]++
		t[atPositive] += y[i]
		if (eta[i] >= cut) == (y[i] == 1) {
			t[atCorrect]++
		}
		if eta[i] >= cut {
			t[atFlagged]++
		}
		t[atLoss] += l
		t[atSquare] += l * l
		t[atBrier] += (p - y[i]) * (p - y[i])
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(eta[a], eta[b]) })
	below := 0.0 // negatives strictly below the current tie
	for i := 0; i < len(order); {
		positives, negatives := 0.0, 0.0
		for tie := eta[order[i]]; i < len(order) && eta[order[i]] == tie; i++ {
			positives += y[order[i]]
			negatives += 1 - y[order[i]]
		}
		t[atConcordant] += positives * (2*below + negatives)
		below += negatives
	}
	t[atPairs] = t[atPositive] * (t[atRows] - t[atPositive])
	t[atPairRows] = t[atPairs] * t[atRows]
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

// Accuracy returns the share of rows on the right side of the threshold, with
// Wilson's interval. Without rows it is 0 in [0, 1].
func (s Score) Accuracy() Estimate { return wilson(s.Correct, s.Rows, z95) }

// wilson returns the share count/of with Wilson's interval of ±z standard errors.
func wilson(count, of int64, z float64) Estimate {
	if of == 0 {
		return Estimate{0, 0, 1}
	}
	n := float64(of)
	share := float64(count) / n
	middle := (share + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	return Estimate{share, max(middle-half, 0), min(middle+half, 1)}
}

// Confusion says how those taken for positive and the others turned out.
type Confusion struct {
	TruePositive  int64 `json:"true_positive"`
	FalsePositive int64 `json:"false_positive"`
	FalseNegative int64 `json:"false_negative"`
	TrueNegative  int64 `json:"true_negative"`
}

// Confusion returns the confusion matrix at the threshold. It follows from four
// counts: of the correct rows, those not flagged are the negatives less the false
// alarms.
func (s Score) Confusion() Confusion {
	hits := (s.Correct - s.Rows + s.Positive + s.Flagged) / 2
	return Confusion{hits, s.Flagged - hits, s.Positive - hits, s.Rows - s.Positive - s.Flagged + hits}
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
