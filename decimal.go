package croft

import (
	"fmt"
	"strconv"
	"strings"
)

// Decimal is Mantissa · 10^-Scale: a decimal number without rounding, for
// everything that is signed or hashed. The zero value is 0.
type Decimal struct {
	Mantissa int64 `cbor:"1,keyasint"`
	Scale    uint8 `cbor:"2,keyasint,omitempty"`
}

// ParseDecimal reads an optional sign, digits and an optional fraction; no
// exponent, at most 18 digits. Trailing zeros of the fraction are dropped, so
// that equal numbers are equal values.
func ParseDecimal(text string) (Decimal, error) {
	whole, frac, dotted := strings.Cut(text, ".")
	digits := strings.TrimLeft(whole, "+-") + frac
	if digits == "" || len(whole)-len(strings.TrimLeft(whole, "+-")) > 1 || dotted && frac == "" ||
		strings.Trim(digits, "0123456789") != "" || len(digits) > 18 {
		return Decimal{}, fmt.Errorf("%.40q is not a plain decimal number of at most 18 digits", text)
	}
	frac = strings.TrimRight(frac, "0")
	mantissa, err := strconv.ParseInt(whole+frac, 10, 64)
	if err != nil {
		return Decimal{}, fmt.Errorf("%.40q is not a plain decimal number: %w", text, err)
	}
	return Decimal{Mantissa: mantissa, Scale: uint8(len(frac))}, nil
}

// String returns the form that ParseDecimal reads.
func (d Decimal) String() string {
	sign, digits := "", strconv.FormatInt(d.Mantissa, 10)
	if d.Mantissa < 0 {
		sign, digits = "-", digits[1:]
	}
	if d.Scale == 0 {
		return sign + digits
	}
	if pad := int(d.Scale) - len(digits) + 1; pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	point := len(digits) - int(d.Scale)
	return sign + digits[:point] + "." + digits[point:]
}

// Float returns the nearest float64; the same on every machine.
func (d Decimal) Float() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64)
	return f
}

// MarshalText gives the form of JSON and of files.
func (d Decimal) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads that form.
func (d *Decimal) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDecimal(string(text))
	return err
}
