// Package vdaf proves things about numbers that nobody sees. A client splits what
// it measured into shares, so that no holder of one learns anything, and adds a
// proof; the holders check it together, each on its share, and learn one bit.
//
//	NewPine, NewPine32   vectors of integers with a bounded Euclidean norm
//	NewCount … NewMultihot   Prio3: counts, sums, vectors of sums, histograms
//	Norm   the proof of PINE alone and gates, over any linear sharing: for privagg,
//	       whose shares survive dead seats
//
// Below them stand Field64 with its arithmetic (Add, Mul, Wide …) and the stream
// XOF, which privagg uses too. The files in order: norm.go and claim.go say what
// PINE proves, nibbles.go and draft.go how its numbers stand in digits, ours and as
// published; circuits.go says what Prio3 proves; flp.go is the proof system of both;
// wrap.go is the test against numbers that wrap around the prime; pine.go, prio3.go
// and vdaf.go are the two schemes byte for byte; field*.go, ntt.go, xof.go and
// turboshake.go are what they stand on.
//
// Sources: draft-irtf-cfrg-vdaf-20 (Prio3, the proof system, the streams),
// draft-chen-cfrg-vdaf-pine-01 and arXiv 2311.10237 (PINE). All published test
// vectors that are at hand pass, and Prio3 is compared with circl's.
//
// The package is pure: randomness is an argument, and it starts no goroutine. Long
// computations are cut into tasks for the caller's Workers, and no result depends
// on how those are run. Arithmetic does not branch on secrets and no secret is an
// index; what Go's compiler and an observer of the same processor make of it is
// not controlled. The package is unaudited.
package vdaf
