// Package croft is the vocabulary of the project: the nouns that every other
// package speaks, their one canonical encoding, the form in which they are
// signed, and the errors that people see.
//
// It holds no behaviour that needs a disk, a socket, a clock or randomness, and
// it imports nothing of the module. A newcomer reads it first:
//
//	id.go         identifiers, each a type of its own
//	encode.go     canonical CBOR: one value, one sequence of bytes
//	sign.go       what exactly is signed, and by which key
//	decimal.go    decimal numbers as integers
//	member.go     members, their keys, the genesis of a network
//	dataset.go    schemas and registered datasets
//	study.go      the study that sites approve, and the approval
//	rescue.go     what a chain's successor is signed with, and its code
//	invite.go     invite codes, and the digits to compare
//	round.go      rounds, phases, reports and sums
//	money.go      credits, channels, vouchers, receipts
//	service.go    what is offered, and what it costs
//	errors.go     error kinds and codes
//	catalogue.go  the sentences that people read
package croft
