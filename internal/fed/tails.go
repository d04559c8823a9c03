package fed

import "math"

// The tails of the distributions that tests and intervals need. Nothing that nodes
// must agree on uses them.

// Test is a χ² test.
type Test struct {
	Name      string  `json:"name"`
	Statistic float64 `json:"chi_squared"`
	DF        int     `json:"df"`
}

// P returns the probability of so large a statistic by chance.
func (t Test) P() float64 { return chiSquaredTail(t.Statistic, float64(t.DF)) }

// chiSquaredTail returns P(X > x) for a χ² variable: Q(df/2, x/2), the upper
// incomplete gamma function, by its series or its continued fraction (DLMF 8.7.1,
// 8.9.2).
func chiSquaredTail(x, df float64) float64 {
	a, half := df/2, x/2
	if !(half > 0) {
		return 1
	}
	logGamma, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(half) - half - logGamma)
	if half < a+1 {
		term := 1 / a
		sum := term
		for n := 1; n < 10_000 && term > sum*0x1p-54; n++ {
			term *= half / (a + float64(n))
			sum += term
		}
		return max(1-front*sum, 0)
	}
	return front * lentz(func(n int) (above, below float64) {
		if n == 0 {
			return 1, half + 1 - a
		}
		return -float64(n) * (float64(n) - a), half + 2*float64(n) + 1 - a
	})
}

// studentTail returns P(|T| > |t|) for Student's t: I_{df/(df+t²)}(df/2, ½).
func studentTail(t, df float64) float64 {
	return incompleteBeta(df/2, 0.5, df/(df+t*t), t*t/(df+t*t))
}

// incompleteBeta returns I_x(a, b) by its continued fraction (DLMF 8.17.22); y is 1 − x.
func incompleteBeta(a, b, x, y float64) float64 {
	if x > (a+1)/(a+b+2) {
		return 1 - incompleteBeta(b, a, y, x)
	}
	if x <= 0 {
		return 0
	}
	logA, _ := math.Lgamma(a)
	logB, _ := math.Lgamma(b)
	logAB, _ := math.Lgamma(a + b)
	front := math.Exp(a*math.Log(x)+b*math.Log(y)+logAB-logA-logB) / a
	return front * lentz(func(n int) (above, below float64) {
		m := float64(n / 2)
		switch {
		case n == 0:
			return 1, 1
		case n%2 == 0:
			return m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)), 1
		default:
			return -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)), 1
		}
	})
}

// lentz returns the continued fraction a₀/(b₀ + a₁/(b₁ + …)) by Lentz's method as
// Thompson & Barnett changed it (J. Comput. Phys. 1986).
func lentz(part func(n int) (above, below float64)) float64 {
	const tiny = 1e-300
	value, c, d := tiny, tiny, 0.0
	for n := range 10_000 {
		a, b := part(n)
		if d = b + a*d; d == 0 {
			d = tiny
		}
		if c = b + a/c; c == 0 {
			c = tiny
		}
		d = 1 / d
		value *= c * d
		if math.Abs(c*d-1) < 0x1p-52 {
			break
		}
	}
	return value
}

// studentQuantile returns the t with P(|T| > t) = 5 %, by bisection.
func studentQuantile(df float64) float64 {
	low, high := 1.9, 13.0 // df 1 has 12.71
	for range 60 {
		if middle := (low + high) / 2; studentTail(middle, df) > 0.05 {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}
