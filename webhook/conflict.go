package webhook

import (
	"fmt"
	"slices"
)

// A ConflictError says that a pattern cannot be registered beside another one,
// because it would be left to chance which of them gets some requests.
type ConflictError struct {
	// New is the pattern that was refused, in its normal form.
	New string
	// Old is the pattern it conflicts with, in its normal form.
	Old string
	// Why explains the conflict by examples of requests.
	Why string
}

// Error returns both patterns, the reason and the remedy.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("webhook: pattern %q conflicts with %q, which is registered already: %s; "+
		"remove one, or change it so that one is more specific", e.New, e.Old, e.Why)
}

// A relation says how the requests that one pattern matches relate to those
// that another matches.
//
// A pattern matches a product: a method, and a choice for each segment. So the
// relation of two patterns is put together from the relations of their parts,
// and as bits these simply add up: a pattern that matches more in one part and
// less in another overlaps.
type relation uint8

const (
	equivalent   relation = 0                          // both match the same requests
	moreGeneral  relation = 1 << 0                     // the first matches all the second does, and more
	moreSpecific relation = 1 << 1                     // the second matches all the first does, and more
	overlaps     relation = moreGeneral | moreSpecific // each matches some that the other does not
	disjoint     relation = 1 << 2                     // no request is matched by both
)

// and returns the relation of two patterns whose parts are in the relations r and s.
func (r relation) and(s relation) relation {
	if (r|s)&disjoint != 0 {
		return disjoint
	}
	return r | s
}

// relate returns the relation of a to b.
func relate(a, b *pattern) relation {
	return relateMethods(a.method, b.method).and(relatePaths(a.segs, b.segs))
}

// relateMethods knows that "" is any method, and that GET matches HEAD, too.
func relateMethods(a, b string) relation {
	switch {
	case a == b:
		return equivalent
	case a == "", a == "GET" && b == "HEAD":
		return moreGeneral
	case b == "", b == "GET" && a == "HEAD":
		return moreSpecific
	}
	return disjoint
}

func relatePaths(a, b []segment) relation {
	rel := equivalent
	for i := 0; rel != disjoint; i++ {
		aRest := i < len(a) && a[i].kind == segRest
		bRest := i < len(b) && b[i].kind == segRest
		switch {
		case aRest && bRest:
			return rel
		case aRest:
			return rel.and(moreGeneral)
		case bRest:
			return rel.and(moreSpecific)
		case i == len(a) && i == len(b):
			return rel
		case i == len(a), i == len(b):
			return disjoint
		}
		rel = rel.and(relateSegments(a[i], b[i]))
	}
	return disjoint
}

// relateSegments relates two segments of which neither is a segRest.
func relateSegments(a, b segment) relation {
	switch {
	case a.kind > b.kind:
		return moreGeneral
	case a.kind < b.kind:
		return moreSpecific
	case a.kind == segLiteral && a.text != b.text:
		return disjoint
	}
	return equivalent
}

// conflicts reports whether two patterns in the relation r cannot be registered
// together: some requests match both, and neither is the more specific.
func (r relation) conflicts() bool {
	return r == equivalent || r == overlaps
}

// conflict returns "" if a and b can be registered together. Otherwise it
// returns a sentence that explains with examples why not, because which
// requests two patterns share is hard to see from the patterns.
func conflict(a, b *pattern) string {
	switch relate(a, b) {
	case equivalent:
		return fmt.Sprintf("%s and %s match the same requests, like %s", a, b, both(a, b))
	case overlaps:
		return fmt.Sprintf("%s and %s both match %s, but neither is more specific: only the first matches %s, only the second %s",
			a, b, both(a, b), onlyFirst(a, b), onlyFirst(b, a))
	}
	return ""
}

// An exampleRequest is a request made up to explain a conflict.
type exampleRequest struct {
	method string // "" if any will do
	path   string
}

func (r exampleRequest) String() string {
	if r.method == "" {
		return r.path
	}
	return r.method + " " + r.path
}

// both returns a request that a and b match. They must not be disjoint.
func both(a, b *pattern) exampleRequest {
	return exampleRequest{sharedMethod(a.method, b.method), examplePath(sharedSegments(a.segs, b.segs))}
}

// onlyFirst returns a request that a matches and b does not. They must overlap,
// or a be the more general.
func onlyFirst(a, b *pattern) exampleRequest {
	segs := sharedSegments(a.segs, b.segs)
	if path, ok := stray(segs, a.segs, b.segs); ok {
		return exampleRequest{sharedMethod(a.method, b.method), examplePath(path)}
	}
	r := exampleRequest{"POST", examplePath(segs)}
	if a.method != "" || b.method == "POST" {
		r.method = "GET"
	}
	return r
}

func sharedMethod(a, b string) string {
	if relateMethods(a, b) == moreGeneral {
		return b
	}
	return a
}

// sharedSegments returns the segments that match what both a and b match. It
// takes the more specific of each two.
func sharedSegments(a, b []segment) []segment {
	if len(a) < len(b) {
		a, b = b, a
	}
	segs := slices.Clone(a)
	for i, s := range b {
		if s.kind < segs[i].kind {
			segs[i] = s
		}
	}
	return segs
}

// stray changes segs, which match what a and b share, at the first place where
// a is the more general, so that they still match a but no longer b. It reports
// whether there is such a place.
func stray(segs, a, b []segment) ([]segment, bool) {
	for i, s := range a {
		switch {
		case i == len(b):
			// s can only be a segRest, which b stops short of: put something in it.
			return append(segs[:i], segment{segWild, s.text}), true
		case b[i].kind == segRest:
			return nil, false
		case s.kind == segRest:
			// b insists on a segment here.
			return segs[:i], true
		case s.kind > b[i].kind:
			segs[i].text = s.text
			if s.text == b[i].text {
				segs[i].text += "x"
			}
			return segs, true
		}
	}
	return nil, false
}

// examplePath returns a path that segs match. It gives wildcards their own
// names as values, and a segRest nothing.
func examplePath(segs []segment) string {
	var b []byte
	for _, s := range segs {
		if s.kind != segRest {
			b = append(b, '/')
			b = appendLiteral(b, s.text)
		}
	}
	if len(b) == 0 {
		return "/"
	}
	return string(b)
}
