package store

// TypeMatches reports whether the words of a type match those of a pattern, in which "*"
// is any word and "#" any number of them: what the scripts that filter a topic go by. It
// goes back to the last "#" only: what one before it could take in, that one can.
func TypeMatches(pattern, words []string) bool {
	p, w := 0, 0
	last, taken := -1, 0 // the last "#", and where what it does not take in begins
	for w < len(words) {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			last, taken = p, w
			p++
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == words[w]):
			p, w = p+1, w+1
		case last >= 0:
			taken++
			p, w = last+1, taken
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}
