package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxNames is how many names an error lists.
const maxNames = 10

// none is the error for a queue, or a topic, that does not exist. It lists those that
// do, the likeliest ones first.
func none(what, name string, names []string, prefix string) error {
	if len(names) == 0 {
		return fmt.Errorf("no %s %q: there are none with the prefix %q; is --prefix right?", what, name, prefix)
	}
	return fmt.Errorf("no %s %q; there is %s", what, name, likely(name, names, "dlqctl "+what+"s"))
}

// likely lists names that may be meant, the likeliest ones first; see shows all.
func likely(name string, names []string, see string) string {
	var list []string
	for _, n := range nearest(name, names)[:min(len(names), maxNames)] {
		list = append(list, strconv.Quote(n))
	}
	text := strings.Join(list, ", ")
	if more := len(names) - len(list); more > 0 {
		text += fmt.Sprintf(" and %d more (see %s)", more, see)
	}
	return text
}

// nearest sorts names by how likely they were meant: first those with name in
// them, then by the number of typing mistakes.
func nearest(name string, names []string) []string {
	name = strings.ToLower(name)
	far := make(map[string]int, len(names))
	for _, n := range names {
		if l := strings.ToLower(n); !strings.Contains(l, name) {
			far[n] = 1 + mistakes([]rune(name), []rune(l))
		}
	}
	return slices.SortedFunc(slices.Values(names), func(a, b string) int {
		return cmp.Or(cmp.Compare(far[a], far[b]), cmp.Compare(a, b))
	})
}

// mistakes is the Levenshtein distance of a and b.
func mistakes(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
