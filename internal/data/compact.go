package data

import (
	"encoding/binary"
	"errors"
)

// compact reads Thrift's compact protocol, in which Parquet describes itself: structs
// of numbered fields, with nothing that says how long they are. It allocates nothing,
// and believes no length that is larger than what is there. After the first thing that
// is wrong there is nothing more to read, and err says what it was.
//
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
type compact struct {
	b    []byte
	err  error
	deep int
}

// The kinds of values, as the protocol numbers them. A field that is true or false has
// no bytes beside its kind.
const (
	isEnd = iota
	isTrue
	isFalse
	isByte
	isInt16
	isInt32
	isInt64
	isDouble
	isBinary
	isList
	isSet
	isMap
	isStruct
)

const maxDeep = 32 // structs and lists within each other

func (c *compact) fail(why string) {
	if c.err == nil {
		c.err = errors.New(why)
	}
	c.b = nil
}

// take takes so many bytes.
func (c *compact) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail("its description ends early")
		return nil
	}
	taken := c.b[:n]
	c.b = c.b[n:]
	return taken
}

func (c *compact) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *compact) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail("its description ends early")
		return 0
	}
	c.b = c.b[n:]
	return v
}

// length reads how many bytes or elements follow; each takes a byte at least.
func (c *compact) length() int {
	if n := c.uvarint(); n <= uint64(len(c.b)) {
		return int(n)
	}
	c.fail("its description ends early")
	return 0
}

// int reads the number of a field of this kind.
func (c *compact) int(kind byte) int64 {
	switch kind {
	case isByte:
		return int64(int8(c.byte()))
	case isInt16, isInt32, isInt64:
		v := c.uvarint()
		return int64(v>>1) ^ -int64(v&1) // zigzag
	}
	c.fail("its description has a field of another kind")
	return 0
}

// text reads the bytes of a field of this kind. They are the reader's own.
func (c *compact) text(kind byte) []byte {
	if kind != isBinary {
		c.fail("its description has a field of another kind")
		return nil
	}
	return c.take(c.length())
}

// list calls visit for each element of a list, which must read it.
func (c *compact) list(kind byte, visit func(kind byte)) {
	if kind != isList && kind != isSet {
		c.fail("its description has a field of another kind")
		return
	}
	head := c.byte()
	n := int(head >> 4)
	if n == 15 {
		n = c.length()
	}
	c.inside(func() {
		for range n {
			if c.err == nil {
				visit(head & 15)
			}
		}
	})
}

// fields calls visit for each field of a struct. What visit leaves is skipped.
func (c *compact) fields(kind byte, visit func(id int64, kind byte)) {
	if kind != isStruct {
		c.fail("its description has a field of another kind")
		return
	}
	c.inside(func() {
		for id := int64(0); c.err == nil; {
			head := c.byte()
			kind := head & 15
			if kind == isEnd {
				return
			}
			if delta := int64(head >> 4); delta > 0 {
				id += delta
			} else {
				id = c.int(isInt16)
			}
			before := len(c.b)
			if visit(id, kind); c.err == nil && len(c.b) == before && kind > isFalse {
				c.skip(kind)
			}
		}
	})
}

func (c *compact) inside(do func()) {
	if c.deep++; c.deep > maxDeep {
		c.fail("its description is nested too deeply")
	}
	do()
	c.deep--
}

// skip reads a value and forgets it.
func (c *compact) skip(kind byte) {
	element := func(kind byte) {
		if kind == isTrue || kind == isFalse { // these have a byte in lists
			kind = isByte
		}
		c.skip(kind)
	}
	switch kind {
	case isByte:
		c.byte()
	case isInt16, isInt32, isInt64:
		c.uvarint()
	case isDouble:
		c.take(8)
	case isBinary:
		c.text(kind)
	case isList, isSet:
		c.list(kind, element)
	case isMap:
		if n := c.length(); n > 0 {
			kinds := c.byte()
			c.inside(func() {
				for range n {
					if c.err == nil {
						element(kinds >> 4)
						element(kinds & 15)
					}
				}
			})
		}
	case isStruct:
		c.fields(kind, func(int64, byte) {})
	default:
		c.fail("its description has a field of an unknown kind")
	}
}
