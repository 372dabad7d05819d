package webhook

import (
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
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

// A tree finds the most specific of many patterns that matches a request, and
// the value that was added with it.
//
// It branches on the segments of the path, with the method last. The literal
// branch is tried before the wildcard, and that before the remainder; since no
// two patterns conflict, the first one found is the most specific. Finding it
// can take backtracking: with "/a/{x}/c" and "/a/b/d", the path "/a/b/c" enters
// b in vain.
//
// The zero tree is empty and ready to use. Any number of goroutines may match
// while none adds.
type tree[T any] struct {
	root treeNode[T]
}

type treeNode[T any] struct {
	literals map[string]*treeNode[T] // by decoded segment
	wild     *treeNode[T]
	here     []treeEntry[T] // patterns that end here, one a method
	rest     []treeEntry[T] // patterns that end in a segRest from here on, one a method
}

type treeEntry[T any] struct {
	pattern *pattern
	value   T
}

// add adds a pattern and the value to find with it. If the pattern conflicts
// with one in the tree, or is equivalent to it, add returns a [*ConflictError]
// and leaves the tree as it was.
func (t *tree[T]) add(p *pattern, v T) error {
	var clash *pattern
	t.root.visitIntersecting(p.segs, func(entries []treeEntry[T]) {
		for _, e := range entries {
			// Of several, always report the same one: a map yields them in any order.
			if relate(p, e.pattern).conflicts() && (clash == nil || e.pattern.String() < clash.String()) {
				clash = e.pattern
			}
		}
	})
	if clash != nil {
		return &ConflictError{New: p.String(), Old: clash.String(), Why: conflict(p, clash)}
	}

	n, entry := &t.root, treeEntry[T]{p, v}
	for _, s := range p.segs {
		if s.kind == segRest {
			n.rest = append(n.rest, entry)
			return nil
		}
		n = n.child(s)
	}
	n.here = append(n.here, entry)
	return nil
}

// child returns the node below n for a literal or a single wildcard, and makes
// it if need be.
func (n *treeNode[T]) child(s segment) *treeNode[T] {
	if s.kind == segWild {
		if n.wild == nil {
			n.wild = new(treeNode[T])
		}
		return n.wild
	}
	c := n.literals[s.text]
	if c == nil {
		c = new(treeNode[T])
		if n.literals == nil {
			n.literals = make(map[string]*treeNode[T])
		}
		n.literals[s.text] = c
	}
	return c
}

// visitIntersecting visits the patterns whose paths are not disjoint from segs.
// A pattern is compared with these alone, so that a large route table loads in
// little more than linear time.
func (n *treeNode[T]) visitIntersecting(segs []segment, visit func([]treeEntry[T])) {
	if n == nil {
		return
	}
	visit(n.rest)
	if len(segs) == 0 {
		visit(n.here)
		return
	}
	switch s := segs[0]; s.kind {
	case segLiteral:
		n.literals[s.text].visitIntersecting(segs[1:], visit)
		n.wild.visitIntersecting(segs[1:], visit)
	case segWild:
		for _, c := range n.literals {
			c.visitIntersecting(segs[1:], visit)
		}
		n.wild.visitIntersecting(segs[1:], visit)
	case segRest:
		visit(n.here)
		for _, c := range n.literals {
			c.visitIntersecting(segs, visit)
		}
		n.wild.visitIntersecting(segs, visit)
	}
}

// match returns the value of the most specific pattern that matches the method
// and the path, and what its wildcards stand for.
//
// The path is that of a request, with its escapes: each segment is decoded by
// itself, so that "%2F" is never a separator. One trailing slash is ignored.
// A path that is empty or relative, has an empty or a dot segment or a broken
// escape matches nothing, not even {rest...}.
//
// Methods are compared as they are. An empty method is matched only by
// patterns without one.
func (t *tree[T]) match(method, path string) (v T, ps params, ok bool) {
	rest, ok := trimPath(path)
	if !ok {
		return v, params{}, false
	}
	found := t.root.find(rest, method)
	if found == nil {
		return v, params{}, false
	}
	return found.value, params{found.pattern, rest}, true
}

// find returns the most specific entry below n for the path rest and the method.
func (n *treeNode[T]) find(rest, method string) *treeEntry[T] {
	if rest == "" {
		if found := pick(n.here, method); found != nil {
			return found
		}
		return pick(n.rest, method)
	}
	seg, tail := cutSegment(rest)
	if len(n.literals) > 0 {
		if c := n.literals[unescape(seg)]; c != nil {
			if found := c.find(tail, method); found != nil {
				return found
			}
		}
	}
	if n.wild != nil {
		if found := n.wild.find(tail, method); found != nil {
			return found
		}
	}
	return pick(n.rest, method)
}

// pick returns the entry with the most specific method that accepts the given one.
func pick[T any](entries []treeEntry[T], method string) *treeEntry[T] {
	var found *treeEntry[T]
	for i := range entries {
		e := &entries[i]
		switch m := e.pattern.method; {
		case m == method:
			return e
		case m == "GET" && method == "HEAD", m == "" && found == nil:
			found = e
		}
	}
	return found
}

// methods returns the methods for which the path has a match, sorted, and none
// if no pattern matches the path whatever the method. It is what a response 405
// says in its Allow header. If a pattern without a method matches, nothing is
// refused, and the methods are the well-known ones and those named by other
// patterns.
func (t *tree[T]) methods(path string) []string {
	rest, ok := trimPath(path)
	if !ok {
		return nil
	}
	var ms []string
	t.root.visitMatching(rest, func(entries []treeEntry[T]) {
		for _, e := range entries {
			switch m := e.pattern.method; m {
			case "":
				ms = append(ms, "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
			case "GET":
				ms = append(ms, "GET", "HEAD")
			default:
				ms = append(ms, m)
			}
		}
	})
	slices.Sort(ms)
	return slices.Compact(ms)
}

// visitMatching visits the patterns whose paths match the path rest below n.
func (n *treeNode[T]) visitMatching(rest string, visit func([]treeEntry[T])) {
	visit(n.rest)
	if rest == "" {
		visit(n.here)
		return
	}
	seg, tail := cutSegment(rest)
	if c := n.literals[unescape(seg)]; c != nil {
		c.visitMatching(tail, visit)
	}
	if n.wild != nil {
		n.wild.visitMatching(tail, visit)
	}
}

// trimPath returns the path without its first and its last slash, and whether
// it is one that patterns can match. What it returns is "" for the root, and
// has valid escapes and no empty segments otherwise.
func trimPath(path string) (rest string, ok bool) {
	if path == "/" {
		return "", true
	}
	if path == "" || path[0] != '/' {
		return "", false
	}
	path = strings.TrimSuffix(path[1:], "/")
	for rest, more := path, true; more; {
		var seg string
		seg, rest, more = strings.Cut(rest, "/")
		// Decoded, because whoever normalises a URL treats "%2e" like ".".
		switch text, err := url.PathUnescape(seg); {
		case err != nil, text == "", text == ".", text == "..":
			return "", false
		}
	}
	return path, true
}

// cutSegment returns the first segment of a trimmed path and what follows it.
func cutSegment(rest string) (seg, tail string) {
	seg, tail, _ = strings.Cut(rest, "/")
	return seg, tail
}

// unescape decodes a part of a path whose escapes have been checked.
func unescape(s string) string {
	text, _ := url.PathUnescape(s)
	return text
}

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
