// Package privagg is the private sum: sites hand shares of their vectors to a
// few seats, the seats add what they hold, and any t+1 of them open the total.
// Any t of them together learn nothing but the total.
//
// The life of one report:
//
//	Deal          site    splits its vector into parts, one for each set T of t seats:
//	                      each is the output of a seed, and to one of them belongs also
//	                      the blob, the vector minus all outputs; seat i gets the seeds
//	                      of all T that do not contain i
//	OpenHead      seat    reads the commitments and finds its box
//	Hand.OpenBox  seat    opens it and checks each seed against its commitment
//	Hand.Give     seat    sends seeds that another seat is entitled to and lacks
//	Hand.Share    seat    turns its parts into one Shamir share of degree t
//	Hand.Verify   seat    the same, with an answer about the proof of the vector's norm
//	Decide        anyone  joins the answers: is the vector within its bound, which seats lie
//	Aggregate     seat    adds the shares of the accepted reports
//	SealShare     seat    sends the share of the sum to a reader
//	Open          reader  checks the shares, names liars, returns the total
//
// What a coalition C of t seats lacks is exactly the part of T = C: a uniform
// vector that hides the site's. The seeds and the blob are committed to, so all
// honest seats hold shares of one polynomial whatever the site does.
//
// Sources: replicated (CNF) sharing and its local conversion to Shamir shares,
// Cramer, Damgård and Ishai, TCC 2005; Field64 and XofHmacSha256Aes128,
// draft-irtf-cfrg-vdaf and draft-chen-cfrg-vdaf-pine-01; HPKE, RFC 9180, with
// the hybrid KEM MLKEM768-X25519.
//
// Where the context has a bound a report proves that its vector keeps to it: file
// proof.go, on package vdaf. Without one Deal refuses vectors beyond the bound of
// package tensor, which is the site's word. The package holds no clock, disk,
// network or goroutine. Randomness is an argument, but for the key pairs and
// key encapsulations of HPKE, which the standard library draws itself.
// Arithmetic is free of branches on secrets but not otherwise hardened against
// observers of the same processor. The construction is unaudited.
package privagg
