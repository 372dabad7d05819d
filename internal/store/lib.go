package store

import (
	"regexp"
	"strings"
)

// library is lib.lua in pieces. A script gets those that it uses: each one costs
// about 100 ns a call.
type library []piece

// piece is one top-level "local …" of lib.lua.
type piece struct {
	names []string
	text  string
}

var (
	luaLocal = regexp.MustCompile(`^local (?:function )?([\w, ]+)`)
	luaName  = regexp.MustCompile(`[A-Za-z_]\w*`)
)

func newLibrary(src string) (l library) {
	for line := range strings.Lines(withoutComments(src)) {
		if head := luaLocal.FindStringSubmatch(line); head != nil {
			l = append(l, piece{names: luaName.FindAllString(head[1], -1)})
		}
		l[len(l)-1].text += line
	}
	return l
}

// with returns the script with what it uses of the library before it.
func (l library) with(src string) string {
	src = withoutComments(src)
	used := map[string]bool{}
	use := func(text string) {
		for _, name := range luaName.FindAllString(text, -1) {
			used[name] = true // a name too many does no harm
		}
	}
	use(src)
	for i := len(l) - 1; i >= 0; i-- { // pieces use those before them
		for _, name := range l[i].names {
			if used[name] {
				use(l[i].text)
				src = l[i].text + src
				break
			}
		}
	}
	return src
}

// withoutComments drops the lines that are nothing else.
func withoutComments(src string) string {
	var out strings.Builder
	for line := range strings.Lines(src) {
		if code := strings.TrimSpace(line); code != "" && !strings.HasPrefix(code, "--") {
			out.WriteString(line)
		}
	}
	return out.String()
}
