package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
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
		"$100000\r\n" + strings.Repeat("x\r\n*9", 20000) + "\r\n", ":1\r\n",
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
			for by, read := range map[string]func(w *wire) ([]byte, error){
				"keep": (*wire).keep,
				"next": (*wire).next,
			} {
				w := wire{conn: readerConn{r: from(strings.NewReader(stream))}}
				for i, want := range replies {
					if got, err := read(&w); err != nil || string(got) != want {
						t.Fatalf("%s: reply %d: %.40q, %v; want %.40q", by, i, got, err, want)
					}
				}
				if got, err := read(&w); !errors.Is(err, io.EOF) || len(got) > 0 {
					t.Errorf("%s: after the last one: %q, %v", by, got, err)
				}
			}
		})
	}
}

// Replies that are kept hold no more than twice their size, whatever was read before.
func TestWireKeepsNoMoreThanItNeeds(t *testing.T) {
	var replies []io.Reader // each comes by itself
	for range 10 {
		for _, size := range []int{8 << 20, 100, largeReply, largeReply, largeReply} {
			replies = append(replies, strings.NewReader(fmt.Sprintf("$%d\r\n%s\r\n", size, strings.Repeat("x", size))))
		}
	}
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	w := wire{conn: readerConn{r: io.MultiReader(replies...)}}
	var kept [][]byte
	size := 0
	for i := range replies {
		b, err := w.keep()
		if err != nil {
			t.Fatal(err)
		}
		if i%5 > 0 {
			kept = append(kept, b)
			size += len(b)
		}
	}
	_ = w.close()
	if holds := heap() - before; holds > 2*size+1<<20 {
		t.Errorf("%d bytes hold %d", size, holds)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(replies)
}

func TestWireRefusesWhatIsNoReply(t *testing.T) {
	for _, bad := range []string{"\r\n", "\n", "x\r\n", "$x\r\n", "*1\r\n?\r\n", "HTTP/1.1 400 Bad Request\r\n", ">1\r\n+push\r\n"} {
		w := wire{conn: readerConn{r: strings.NewReader(bad)}}
		if _, err := w.keep(); !errors.Is(err, errProtocol) {
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
			w := wire{conn: readerConn{r: r}}
			got, err := w.keep()
			if rest := w.in[w.used:]; err == nil && !bytes.HasPrefix(raw, append(got, rest...)) {
				t.Fatalf("%q and the rest %q are not from %q", got, rest, raw)
			}
			return string(got), err
		}
		once, err := read(bytes.NewReader(raw))
		again, err2 := read(iotest.OneByteReader(bytes.NewReader(raw)))
		if (err == nil) != (err2 == nil) || err == nil && once != again {
			t.Fatalf("%q: %q, %v at once; %q, %v by bytes", raw, once, err, again, err2)
		}
	})
}

// writerConn is a connection that only keeps what is written.
type writerConn struct {
	net.Conn
	w *strings.Builder
}

func (c writerConn) Write(p []byte) (int, error) { return c.w.Write(p) }

func TestWireWritesCommands(t *testing.T) {
	long := strings.Repeat("x", largeArg)
	var want, got strings.Builder
	w := wire{conn: writerConn{w: &got}}
	for _, args := range [][]any{
		{"XADD", []byte("a\r\nb"), 0, -5, int64(1 << 40), "", []byte(nil)},
		{"SET", []byte(long), long},
		{long, long, long, long, []byte(long), []byte("x")},
		{"PING"},
	} {
		fmt.Fprintf(&want, "*%d\r\n", len(args))
		for _, arg := range args {
			text := fmt.Sprint(arg)
			if b, ok := arg.([]byte); ok {
				text = string(b)
			}
			fmt.Fprintf(&want, "$%d\r\n%s\r\n", len(text), text)
		}
		if err := w.add(args); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil || got.String() != want.String() {
		t.Errorf("%v; %d bytes, want %d", err, got.Len(), want.Len())
	}
	if err := w.add([]any{errProtocol}); err == nil {
		t.Error("an error as an argument is accepted")
	}
}
