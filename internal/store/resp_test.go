package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// element is one entry as streams reports it.
type element struct {
	Key, ID string
	Fields  []string // nil for a deleted entry
}

func parse(reply string) (got []element, err error) {
	r := resp{b: []byte(reply)}
	err = r.streams(func(key, id []byte, fields [][]byte) error {
		got = append(got, newElement(key, id, fields))
		return nil
	})
	return got, err
}

func newElement(key, id []byte, fields [][]byte) element {
	e := element{Key: string(key), ID: string(id)}
	for _, f := range fields {
		e.Fields = append(e.Fields, string(f))
	}
	return e
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func array(items ...string) string {
	return fmt.Sprintf("*%d\r\n%s", len(items), strings.Join(items, ""))
}

func entry(id string, fields ...string) string {
	for i := range fields {
		fields[i] = bulk(fields[i])
	}
	return array(bulk(id), array(fields...))
}

var (
	twoStreams2 = array(
		array(bulk("k1"), array(entry("1-0", "p", "hello"), entry("2-0", "p", "", "hh", "a\r\n$3\r\nb"))),
		array(bulk("k2"), array(entry("3-0", "p", "x"))),
	)
	twoStreams3 = "%2\r\n" +
		bulk("k1") + array(entry("1-0", "p", "hello"), entry("2-0", "p", "", "hh", "a\r\n$3\r\nb")) +
		bulk("k2") + array(entry("3-0", "p", "x"))
	twoStreams = []element{
		{"k1", "1-0", []string{"p", "hello"}},
		{"k1", "2-0", []string{"p", "", "hh", "a\r\n$3\r\nb"}},
		{"k2", "3-0", []string{"p", "x"}},
	}
)

func TestStreamReplies(t *testing.T) {
	for _, tt := range []struct {
		name, reply string
		want        []element
	}{
		{"RESP2", twoStreams2, twoStreams},
		{"RESP3", twoStreams3, twoStreams},
		{"nothing came, RESP2", "*-1\r\n", nil},
		{"nothing came, RESP3", "_\r\n", nil},
		{"nothing came, as a null string", "$-1\r\n", nil},
		{"no streams", "*0\r\n", nil},
		{"a stream without entries", array(array(bulk("k"), array())), nil},
		{"a deleted entry, RESP2", array(array(bulk("k"), array(array(bulk("1-0"), "*-1\r\n")))), []element{{"k", "1-0", nil}}},
		{"a deleted entry, RESP3", "%1\r\n" + bulk("k") + array(array(bulk("1-0"), "_\r\n")), []element{{"k", "1-0", nil}}},
		{"an entry without fields after one with", array(array(bulk("k"), array(entry("1-0", "p", "x"), entry("2-0")))), []element{{"k", "1-0", []string{"p", "x"}}, {"k", "2-0", nil}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parse(tt.reply)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tt.want)
			}
		})
	}
}

// Every prefix of a reply is an error, never a shorter list that looks whole.
func TestTruncatedRepliesAreErrors(t *testing.T) {
	for _, whole := range []string{twoStreams2, twoStreams3} {
		for n := range len(whole) {
			got, err := parse(whole[:n])
			if !errors.Is(err, errProtocol) {
				t.Fatalf("%d of %d bytes: %v, %v", n, len(whole), got, err)
			}
		}
	}
}

func TestHostileReplies(t *testing.T) {
	for name, reply := range map[string]string{
		"a long array":           "*1000000000000\r\n",
		"a longer array":         "*99999999999999999999999999\r\n",
		"a long map":             "%1000000000000\r\n",
		"a long inner array":     "*1\r\n*2\r\n$1\r\nk\r\n*1000000000\r\n",
		"long fields":            "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*1000000000\r\n",
		"a long string":          "*1\r\n*2\r\n$1000000000000\r\nk\r\n",
		"a string of all bytes":  "*1\r\n*2\r\n$9\r\nk\r\n*0\r\n",
		"a length without digit": "*1\r\n*2\r\n$x\r\n",
		"a length of a sign":     "*1\r\n*2\r\n$--1\r\n",
		"an integer":             ":1\r\n",
		"a string":               "$1\r\nk\r\n",
		"a status":               "+OK\r\n",
		"an unknown type":        "?1\r\n",
		"a line without type":    "\r\n",
		"no line end":            "*1",
		"an array for a key":     "*1\r\n*2\r\n*0\r\n*0\r\n",
		"a number for an id":     "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n:1\r\n*0\r\n",
		"a map for fields":       "*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-0\r\n%1\r\n$1\r\na\r\n$1\r\nb\r\n",
	} {
		if got, err := parse(reply); !errors.Is(err, errProtocol) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestErrorRepliesKeepTheirText(t *testing.T) {
	for _, reply := range []string{
		"-NOGROUP No such key 'k'\r\n",
		"*1\r\n-NOGROUP No such key 'k'\r\n",
	} {
		_, err := parse(reply)
		if err == nil || err.Error() != "NOGROUP No such key 'k'" {
			t.Errorf("%v", err)
		}
		if !errors.Is(classify(err), ErrNoGroup) {
			t.Errorf("%v is not classified as a server's reply", err)
		}
	}
}

func TestReadersErrorEndsTheReply(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	r := resp{b: []byte(twoStreams2)}
	err := r.streams(func(_, _ []byte, _ [][]byte) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d entries", err, n)
	}
}

// FuzzStreams: no reply panics or allocates by what it claims; what is read
// lies within the reply.
func FuzzStreams(f *testing.F) {
	for _, s := range []string{
		twoStreams2, twoStreams3, "*-1\r\n", "_\r\n", "-ERR no\r\n", "*1\r\n*2\r\n$-1\r\n*1\r\n*2\r\n$-1\r\n*1\r\n$-1\r\n",
		"*1000000\r\n", "%9999999999\r\n", "$99999999999\r\n", "*-9\r\n", "*1\r\n*-5\r\n$1\r\nk\r\n*0\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		size := 0
		r := resp{b: reply}
		err := r.streams(func(key, id []byte, fields [][]byte) error {
			size += len(id)
			for _, s := range fields {
				size += len(s)
			}
			if len(key) > len(reply) || size > len(reply) {
				t.Fatalf("more was read than there is: %q", reply)
			}
			return nil
		})
		if err == nil && r.i > len(reply) {
			t.Fatalf("read %d of %d bytes", r.i, len(reply))
		}
	})
}
