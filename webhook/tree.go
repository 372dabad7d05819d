package webhook

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
