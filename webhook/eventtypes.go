package webhook

import (
	"fmt"
	"slices"
	"strings"
)

// typeExamples are types that tell how two patterns relate: one that both match, one that
// only the first does, and one that only the second does; nil where there is none.
type typeExamples struct{ both, first, second []string }

// relateTypes finds them by going through all types there are, as far as the two patterns
// tell them apart: after each word a pattern can be at some of its own words, and there are
// only so many sets of those.
func relateTypes(a, b []string) (ex typeExamples) {
	alphabet := []string{"x"} // a word that is in neither
	for slices.Contains(a, alphabet[0]) || slices.Contains(b, alphabet[0]) {
		alphabet[0] += "x"
	}
	for _, w := range slices.Concat(a, b) {
		if w != "*" && w != "#" && !slices.Contains(alphabet, w) {
			alphabet = append(alphabet, w)
		}
	}
	type place struct{ a, b places }
	type reached struct {
		place
		words []string
	}
	begin := place{start(a), start(b)}
	seen := map[place]bool{begin: true}
	for queue := []reached{{begin, []string{}}}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		isA, isB := at.a.end(a), at.b.end(b)
		switch {
		case isA && isB && ex.both == nil:
			ex.both = at.words
		case isA && !isB && ex.first == nil:
			ex.first = at.words
		case isB && !isA && ex.second == nil:
			ex.second = at.words
		}
		for _, w := range alphabet {
			to := place{at.a.after(a, w), at.b.after(b, w)}
			if (to.a|to.b) != 0 && !seen[to] {
				seen[to] = true
				queue = append(queue, reached{to, append(slices.Clone(at.words), w)})
			}
		}
	}
	return ex
}

// places is a set of places in a pattern: bit i is set where its word i may come next. A
// pattern has at most [maxTypeWords] words.
type places uint32

func start(p []string) places { return places(1).overHashes(p) }

// overHashes adds the places behind each "#", which may stand for nothing.
func (s places) overHashes(p []string) places {
	for i, w := range p {
		if w == "#" && s&(1<<i) != 0 {
			s |= 1 << (i + 1)
		}
	}
	return s
}

// after is where the pattern can be after a further word.
func (s places) after(p []string, word string) (to places) {
	for i, w := range p {
		switch {
		case s&(1<<i) == 0:
		case w == "#":
			to |= 1 << i
		case w == "*" || w == word:
			to |= 1 << (i + 1)
		}
	}
	return to.overHashes(p)
}

func (s places) end(p []string) bool { return s&(1<<len(p)) != 0 }

// within reports whether the second pattern matches all that the first does.
func (ex typeExamples) within() bool { return ex.first == nil }

// conflict returns "" if both patterns can be subscribed to by one group. Otherwise it
// explains why not.
func (ex typeExamples) conflict(a, b eventPath) string {
	path := func(words []string) string { return a.withType(strings.Join(words, ".")) }
	switch {
	case ex.both == nil:
		return ""
	case ex.first == nil && ex.second == nil:
		return fmt.Sprintf("both match the same events, like %s", path(ex.both))
	case ex.first != nil && ex.second != nil:
		return fmt.Sprintf("both match %s, but neither is more specific: only %s matches %s, only %s %s",
			path(ex.both), a, path(ex.first), b, path(ex.second))
	}
	return ""
}
