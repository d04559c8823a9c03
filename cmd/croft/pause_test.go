package main

import (
	"testing"
	"time"
)

func TestNextTime(t *testing.T) {
	now := time.Date(2027, 1, 31, 18, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"": "0001-01-01 00:00", "18:01": "2027-01-31 18:01", "18:00": "2027-02-01 18:00", "06:30": "2027-02-01 06:30", "2027-01-31 06:00": "2027-01-31 06:00",
	} {
		if got, err := nextTime(text, now); err != nil || got.Format("2006-01-02 15:04") != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"24:00", "6", "tomorrow", "2027-02-30 06:00", "-1:00"} {
		if got, err := nextTime(text, now); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}
