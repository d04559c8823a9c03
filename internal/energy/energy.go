// Package energy says what work cost: processor time as measured, and joules as
// modelled from it. A reading always says how it was obtained; measured and
// modelled are never added.
package energy

import "time"

// wattsPerCore is the model's only constant: what one busy core of a small
// machine draws above idle.
const wattsPerCore = 15

// Reading is an amount of energy and how it was obtained.
type Reading struct {
	Joules float64 `json:"joules"`
	How    string  `json:"how"` // "modelled: …", never a bare number
}

// Modelled turns processor time into joules.
func Modelled(cpu time.Duration) Reading {
	return Reading{Joules: cpu.Seconds() * wattsPerCore, How: "modelled: CPU seconds × 15 W a core; idle draw, memory and network left out"}
}
