package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// readerConn is a connection that only brings what r has.
type readerConn struct {
	net.Conn
	r io.Reader
}

func (c readerConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// Whatever the pieces a reply arrives in, all of it is read and nothing of the next.
func TestWireReadsOneReply(t *testing.T) {
	replies := []string{
		"+OK\r\n", "-ERR no\r\n", ":42\r\n", "$-1\r\n", "$0\r\n\r\n", "$5\r\nab\r\nc\r\n", "*-1\r\n", "*0\r\n",
		"*2\r\n$1\r\na\r\n*1\r\n*2\r\n:1\r\n$-1\r\n",
		"$20000\r\n" + strings.Repeat("x\r\n*9", 4000) + "\r\n",
		"*1\r\n*2\r\n$1\r\nk\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\np\r\n$2\r\n\r\n\r\n*2\r\n$3\r\n1-2\r\n*-1\r\n",
	}
	stream := strings.Join(replies, "")
	for name, from := range map[string]func(io.Reader) io.Reader{
		"at once":     func(r io.Reader) io.Reader { return r },
		"by bytes":    iotest.OneByteReader,
		"by halves":   iotest.HalfReader,
		"end with it": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			w := wire{conn: readerConn{r: from(strings.NewReader(stream))}}
			for i, want := range replies {
				var got rawReply
				if err := w.read(&got); err != nil || string(got.b) != want {
					t.Fatalf("reply %d: %.40q, %v; want %.40q", i, got.b, err, want)
				}
			}
			var got rawReply
			if err := w.read(&got); !errors.Is(err, io.EOF) || len(got.b) > 0 {
				t.Errorf("after the last one: %q, %v", got.b, err)
			}
		})
	}
}

func TestWireRefusesWhatIsNoReply(t *testing.T) {
	for _, bad := range []string{"\r\n", "\n", "x\r\n", "$x\r\n", "*1\r\n?\r\n", "HTTP/1.1 400 Bad Request\r\n", ">1\r\n+push\r\n"} {
		w := wire{conn: readerConn{r: strings.NewReader(bad)}}
		if err := w.read(&rawReply{}); !errors.Is(err, errProtocol) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// FuzzWire: no input panics, and what is taken for a reply is one value, whatever the
// pieces it arrives in.
func FuzzWire(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "$3\r\nabc\r\n+", "*-1\r\n", "$-1\r\n", "*1\r\n*1\r\n$0\r\n\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		read := func(r io.Reader) (string, error) {
			w, got := wire{conn: readerConn{r: r}}, rawReply{}
			err := w.read(&got)
			if err == nil && !bytes.HasPrefix(raw, append(got.b, w.rest...)) {
				t.Fatalf("%q and the rest %q are not from %q", got.b, w.rest, raw)
			}
			return string(got.b), err
		}
		once, err := read(bytes.NewReader(raw))
		again, err2 := read(iotest.OneByteReader(bytes.NewReader(raw)))
		if (err == nil) != (err2 == nil) || err == nil && once != again {
			t.Fatalf("%q: %q, %v at once; %q, %v by bytes", raw, once, err, again, err2)
		}
	})
}

func TestAppendCommand(t *testing.T) {
	got, err := appendCommand(nil, []any{"XADD", []byte("a\r\nb"), 0, -5, int64(1 << 40), ""})
	want := "*6\r\n$4\r\nXADD\r\n$4\r\na\r\nb\r\n$1\r\n0\r\n$2\r\n-5\r\n$13\r\n1099511627776\r\n$0\r\n\r\n"
	if err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if got, err := appendCommand(nil, []any{fmt.Errorf("x")}); err == nil {
		t.Errorf("%q", got)
	}
}
