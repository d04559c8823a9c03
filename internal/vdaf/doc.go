// Package vdaf proves things about numbers that nobody sees. A client splits what
// it measured into shares, so that no holder of one learns anything, and adds a
// proof; the holders check it together, each on its share, and learn one bit.
//
//	NewPine   vectors of integers with a bounded Euclidean norm, as published
//	Norm      the proof of PINE alone, in digits of our own, and gates, over any linear
//	          sharing: for privagg, whose shares survive dead seats
//
// Below them stand Field64 with its arithmetic (Add, Mul, Wide …) and the stream
// XOF, which privagg uses too. The files in order: norm.go and claim.go say what
// PINE proves, nibbles.go and draft.go how its numbers stand in digits, ours and as
// published; flp.go is the proof system; wrap.go is the test against numbers that wrap
// around the prime; pine.go and vdaf.go are the published scheme byte for byte; field.go,
// ntt.go and xof.go are what they stand on. Prio3 and two further fields are among the
// tests: most vectors that others have published for the proof system are of them.
//
// Sources: draft-irtf-cfrg-vdaf-20 (Prio3, the proof system, the streams),
// draft-chen-cfrg-vdaf-pine-01 and arXiv 2311.10237 (PINE). All published test
// vectors that are at hand pass, and Prio3 on the same proof system is compared with
// circl's.
//
// The package is pure: randomness is an argument, and it starts no goroutine. Long
// computations are cut into tasks for the caller's Workers, and no result depends
// on how those are run. Arithmetic does not branch on secrets and no secret is an
// index; what Go's compiler and an observer of the same processor make of it is
// not controlled. The package is unaudited.
package vdaf
