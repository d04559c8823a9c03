package fhir

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// moment is a date, a date with a time, or a time of day, as precise as it was
// written. FHIR allows years, months, days, minutes and parts of seconds.
type moment struct {
	clock  bool   // a time of day, without a date
	field  [6]int // year, month, day, hour, minute, second
	fields int    // how many are written: 1, 2, 3, 5 or 6; a time of day has 5 or 6
	nano   int
	digits int // of the second's fraction, as written
	zoned  bool
	zone   int // minutes east of UTC
}

// shapes says of each field what stands before it, how many digits it has, and
// what they may be.
var shapes = [6]struct {
	before string
	digits int
	low    int
	high   int
}{{"", 4, 0, 9999}, {"-", 2, 1, 12}, {"-", 2, 1, 31}, {"T", 2, 0, 23}, {":", 2, 0, 59}, {":", 2, 0, 60}} // 60: a leap second

// parseMoment reads the forms of date, dateTime, instant and time.
func parseMoment(text string) (m moment, ok bool) {
	rest := text
	if len(text) > 2 && text[2] == ':' {
		m.clock, m.fields, rest = true, 3, "T"+text
	}
	for m.fields < len(shapes) {
		s := shapes[m.fields]
		after, found := strings.CutPrefix(rest, s.before)
		if !found {
			break
		}
		if len(after) < s.digits {
			return m, false
		}
		n, err := strconv.ParseUint(after[:s.digits], 10, 16) // no sign
		if err != nil || int(n) < s.low || int(n) > s.high {
			return m, false
		}
		m.field[m.fields], rest = int(n), after[s.digits:]
		m.fields++
	}
	if m.fields == 4 || m.clock && m.fields < 5 || !m.clock && m.fields >= 3 && m.field[2] > daysIn(m.field[0], m.field[1]) {
		return m, false
	}
	if fraction, found := strings.CutPrefix(rest, "."); found && m.fields == 6 {
		m.digits = len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
		if m.digits == 0 || m.digits > 9 {
			return m, false
		}
		m.nano, _ = strconv.Atoi((fraction[:m.digits] + "00000000")[:9])
		rest = fraction[m.digits:]
	}
	if rest != "" && m.fields >= 5 && !m.clock {
		return m, m.parseZone(rest)
	}
	return m, rest == ""
}

// parseZone reads Z, +hh:mm or -hh:mm.
func (m *moment) parseZone(text string) bool {
	m.zoned = true
	if text == "Z" {
		return true
	}
	if len(text) != len("+hh:mm") || text[0] != '+' && text[0] != '-' || text[3] != ':' {
		return false
	}
	hours, err1 := strconv.ParseUint(text[1:3], 10, 8)
	minutes, err2 := strconv.ParseUint(text[4:], 10, 8)
	m.zone = int(hours)*60 + int(minutes)
	if text[0] == '-' {
		m.zone = -m.zone
	}
	return err1 == nil && err2 == nil && hours <= 14 && minutes <= 59
}

// compare orders two moments. The order is not known if they agree as far as the
// less precise one goes, or if one has a time zone and the other does not.
func (m moment) compare(n moment) (order int, known bool) {
	if m.fields >= 5 && n.fields >= 5 {
		if m.zoned != n.zoned {
			return 0, false
		}
		if order := cmp.Compare(m.minutes(), n.minutes()); order != 0 {
			return order, true
		}
		order := cmp.Or(cmp.Compare(m.field[5], n.field[5]), cmp.Compare(m.nano, n.nano))
		return order, m.fields == n.fields
	}
	for i := range min(m.fields, n.fields) {
		if order := cmp.Compare(m.field[i], n.field[i]); order != 0 {
			return order, true
		}
	}
	return 0, m.fields == n.fields
}

// minutes counts from the year 0 in UTC.
func (m moment) minutes() int64 {
	y, days := m.field[0], 0
	if !m.clock {
		days = 365*y + (y+3)/4 - (y+99)/100 + (y+399)/400 + m.field[2]
		for month := 1; month < m.field[1]; month++ {
			days += daysIn(y, month)
		}
	}
	return int64(days)*24*60 + int64(m.field[3]*60+m.field[4]-m.zone)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// boundary returns the earliest or the latest moment that a text as precise as m
// can mean, written to the millisecond: as a date, a time of day, or else as a
// dateTime, whose zone, if it is not written, lies between +14:00 and -12:00.
func (m moment) boundary(kind string, high bool) string {
	last := [6]int{0, 12, 31, 23, 59, 59}
	first := [6]int{0, 1, 1, 0, 0, 0}
	for i := m.fields; i < len(m.field); i++ {
		switch {
		case !high:
			m.field[i] = first[i]
		case i == 2:
			m.field[i] = daysIn(m.field[0], m.field[1])
		default:
			m.field[i] = last[i]
		}
	}
	f := m.field
	date := fmt.Sprintf("%04d-%02d-%02d", f[0], f[1], f[2])
	if kind == "date" {
		return date
	}
	milli := m.nano / 1e6
	for scale := 100; high && scale > 0; scale /= 10 { // digits that are not written may be nines
		if m.digits--; m.digits < 0 {
			milli += 9 * scale
		}
	}
	clock := fmt.Sprintf("%02d:%02d:%02d.%03d", f[3], f[4], f[5], milli)
	if kind == "time" {
		return clock
	}
	zone := "+14:00"
	if high {
		zone = "-12:00"
	}
	if m.zoned {
		minutes, sign := m.zone, "+"
		if minutes < 0 {
			minutes, sign = -minutes, "-"
		}
		zone = fmt.Sprintf("%s%02d:%02d", sign, minutes/60, minutes%60)
	}
	return date + "T" + clock + zone
}
