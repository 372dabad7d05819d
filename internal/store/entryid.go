package store

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// splitID reads an entry id.
func splitID(id string) (ms, seq uint64) {
	a, b, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(a, 10, 64)
	seq, _ = strconv.ParseUint(b, 10, 64)
	return ms, seq
}

func joinID(ms, seq uint64) string {
	return strconv.FormatUint(ms, 10) + "-" + strconv.FormatUint(seq, 10)
}

// idAfter is the entry id next to this one.
func idAfter(id string) string {
	ms, seq := splitID(id)
	if seq == math.MaxUint64 {
		return joinID(ms+1, 0)
	}
	return joinID(ms, seq+1)
}

// IDBefore is the entry id that this one is next to; that of 0-0 is itself.
func IDBefore(id string) string {
	switch ms, seq := splitID(id); {
	case seq > 0:
		return joinID(ms, seq-1)
	case ms > 0:
		return joinID(ms-1, math.MaxUint64)
	}
	return id
}

// Before reports whether the entry id a is before b.
func Before(a, b string) bool { return compareIDs(a, b) < 0 }

// compareIDs is negative where the entry id a is before b, and 0 where they are equal.
func compareIDs(a, b string) int {
	if len(a) == len(b) && strings.IndexByte(a, '-') == strings.IndexByte(b, '-') {
		return strings.Compare(a, b)
	}
	am, as := splitID(a)
	bm, bs := splitID(b)
	return cmp.Or(cmp.Compare(am, bm), cmp.Compare(as, bs))
}

// IsEntryID reports whether s is the id of a stream entry: "ms-seq".
func IsEntryID(s string) bool {
	ms, seq, ok := strings.Cut(s, "-")
	if !ok {
		return false
	}
	_, err1 := strconv.ParseUint(ms, 10, 64)
	_, err2 := strconv.ParseUint(seq, 10, 64)
	return err1 == nil && err2 == nil
}

// EntryTime is the time in ms at which the server created the entry.
func EntryTime(id string) int64 {
	ms, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(ms, 10, 64)
	return n
}
