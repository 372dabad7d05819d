package webhook

import (
	"iter"
)

// params are the path values of a match: what the wildcards of the pattern
// stand for in the path, decoded. As a {name} may have matched "a%2F..%2Fb",
// a value can contain slashes, and any other bytes.
//
// Pattern and path have their segments in the same places, so params keep only
// these two and find a value when it is asked for. They never cost an
// allocation, unless a value has escapes.
type params struct {
	pattern *pattern
	rest    string // the path, trimmed
}

// get returns the value of the wildcard of that name, or "" if there is none.
// Only {name...} can have an empty value.
func (ps params) get(name string) string {
	for n, v := range ps.all() {
		if n == name {
			return v
		}
	}
	return ""
}

// all yields the names and the values of the wildcards from left to right.
func (ps params) all() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		if ps.pattern == nil {
			return
		}
		rest := ps.rest
		for _, s := range ps.pattern.segs {
			value := rest
			if s.kind != segRest {
				value, rest = cutSegment(rest)
			}
			if s.kind != segLiteral && !yield(s.text, unescape(value)) {
				return
			}
		}
	}
}
