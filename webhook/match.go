package webhook

import (
	"slices"
)

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
