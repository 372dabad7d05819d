package main

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table prints rows in columns. Its cells are escaped.
type table struct {
	head  []string
	right []int // the columns that hold numbers
	rows  [][]string
}

// gap is the space between two columns.
const gap = 2

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = inline(cells[i])
	}
	t.rows = append(t.rows, cells)
}

// widths are those of the columns.
func (t *table) widths() []int {
	w := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			w[i] = max(w[i], utf8.RuneCountInString(cell))
		}
	}
	return w
}

// minLast is how narrow cutLast may make a column.
const minLast = 24

// cutLast shortens the last column until the table is no wider than width. On a
// terminal too narrow for that, lines wrap.
func (t *table) cutLast(width int) {
	last := len(t.head) - 1
	for _, w := range t.widths()[:last] {
		width -= w + gap
	}
	for _, row := range t.rows {
		row[last] = cut(row[last], max(width, minLast))
	}
}

// write's error is that of w, which keeps it.
func (t *table) write(w io.StringWriter) {
	widths := t.widths()
	for _, row := range append([][]string{t.head}, t.rows...) {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if slices.Contains(t.right, i) {
				cell, pad = pad+cell, ""
			}
			line.WriteString(cell + pad + strings.Repeat(" ", gap))
		}
		_, _ = w.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
