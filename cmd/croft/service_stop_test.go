package main

import (
	"strings"
	"testing"
)

// What the node could not do is not said to be done.
func TestAServiceThatGoesOn(t *testing.T) {
	c, _, _ := atNode(t, func(path string) string {
		if path == "/v1/services" {
			return `{"local": ["ward"]}`
		}
		return "no answer of a node"
	})
	out := new(strings.Builder)
	c.out = out
	if err := c.serviceStop(t.Context(), "ward"); err == nil || out.Len() > 0 {
		t.Errorf("%v, and yet %q", err, out)
	}
}
