package store

import (
	"fmt"
	"strconv"
	"strings"
)

// Pack makes one value of several, as pack in lib.lua does.
func Pack(parts ...string) string {
	var b []byte
	for _, s := range parts {
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(append(b, ':'), s...)
	}
	return string(b)
}

// packFields is Pack for what appendFields returns.
func packFields(args []any) string {
	list := make([]string, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case []byte:
			list[i] = string(a)
		case string:
			list[i] = a
		default:
			list[i] = fmt.Sprint(a)
		}
	}
	return Pack(list...)
}

// UnpackFields reads what pack in lib.lua wrote: "length:bytes" for each.
func UnpackFields(s string) ([][]byte, error) {
	var out [][]byte
	for s != "" {
		size, rest, ok := strings.Cut(s, ":")
		n, err := strconv.ParseUint(size, 10, 31)
		if !ok || err != nil || uint64(len(rest)) < n {
			return nil, &MalformedError{"a scheduled message's body is damaged"}
		}
		out = append(out, []byte(rest[:n]))
		s = rest[n:]
	}
	return out, nil
}
