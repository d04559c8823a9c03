//go:build long

package bench

import "testing"

func TestHeartReachesItsMarksInAllSplits(t *testing.T) { reachMarks(t, DefaultHeartSplits) }
