package store_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/internal/testkit"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var (
	eventually = testkit.Eventually
	rawClient  = redistest.Client // a second pair of eyes that knows nothing of LeanMQ
)

func open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, "leanmq")
	return testkit.Opened(t, s, err)
}

// openBy opens a store with connections of another maker, such as a proxy's.
func openBy(t *testing.T, url string, dial redistest.Dialer) *store.Store {
	t.Helper()
	s, err := store.New(redistest.ClientBy(t, url, dial), "leanmq")
	testkit.Opened(t, s, err)
	if err := s.Ping(t.Context()); err != nil { // or the first command would only shake hands
		t.Fatal(err)
	}
	return s
}

func openQueue(t *testing.T, url string) (*store.Store, *store.Queue) {
	t.Helper()
	s := open(t, url)
	return s, queue(t, s, "jobs")
}

func queue(t *testing.T, s *store.Store, name string) *store.Queue {
	t.Helper()
	q, err := s.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// some is n, or less of it where scripts take long: miniredis interprets them in
// Go, and under the race detector a long pipeline runs into the read time-out.
func some(t *testing.T, n int) int {
	if strings.HasSuffix(t.Name(), "/embedded") {
		return n / 7
	}
	return n
}

// send sends messages with these payloads and returns their ids.
func send(t *testing.T, q *store.Queue, payloads ...string) []string {
	t.Helper()
	es := make([]store.Envelope, len(payloads))
	for i, p := range payloads {
		es[i].Payload = []byte(p)
	}
	ids, errs := q.SendMany(t.Context(), es)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// worker is a consumer of one queue, as the scripts see one.
type worker struct {
	t      *testing.T
	q      *store.Queue
	name   string
	epoch  string
	reader *store.Reader
}

func join(t *testing.T, s *store.Store, q *store.Queue, name string) *worker {
	t.Helper()
	epoch, err := q.Join(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{t: t, q: q, name: name, epoch: epoch, reader: s.NewReader()}
	t.Cleanup(func() { _ = w.reader.Close() })
	return w
}

// read reads up to n new messages, without waiting.
func (w *worker) read(n int) []store.Entry {
	w.t.Helper()
	var out []store.Entry
	err := w.reader.Read(context.Background(), w.name, []*store.Queue{w.q}, n, 0,
		func(_ int, e store.Entry) { out = append(out, e) })
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// mustRead reads n messages that have to be there.
func (w *worker) mustRead(n int) []string {
	w.t.Helper()
	got := entryIDs(w.read(n))
	if len(got) != n {
		w.t.Fatalf("%s read %d messages, want %d", w.name, len(got), n)
	}
	return got
}

func (w *worker) settle(st store.Settlement) store.Settled {
	w.t.Helper()
	out, err := w.q.Settle(w.t.Context(), w.name, &st)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *worker) done(ids ...string) store.Settled {
	w.t.Helper()
	return w.settle(store.Settlement{Done: []store.Done{{Epoch: w.epoch, IDs: ids}}})
}

// reclaim takes over up to n messages, however fresh their leases are.
func (w *worker) reclaim(n, maxDeliveries int) ([]store.Entry, int) {
	w.t.Helper()
	es, buried, err := w.q.Reclaim(w.t.Context(), w.name, 0, n, maxDeliveries)
	if err != nil {
		w.t.Fatal(err)
	}
	return es, buried
}

// owned is what is pending for the worker: deliveries by entry id.
func (w *worker) owned(c redis.UniversalClient) map[string]int64 {
	w.t.Helper()
	return pendingOf(w.t, c, w.q, w.name)
}

func pendingOf(t *testing.T, c redis.UniversalClient, q *store.Queue, consumer string) map[string]int64 {
	t.Helper()
	ps, err := c.XPendingExt(t.Context(), &redis.XPendingExtArgs{
		Stream: q.Stream, Group: "leanmq", Start: "-", End: "+", Count: 10000, Consumer: consumer,
	}).Result()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, p := range ps {
		out[p.ID] = p.RetryCount
	}
	return out
}

func entryIDs(es []store.Entry) []string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = e.Entry
	}
	return out
}

func info(t *testing.T, q *store.Queue) store.Info {
	t.Helper()
	i, err := q.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func deadLetters(t *testing.T, q *store.Queue) []store.Entry {
	t.Helper()
	es, err := q.DeadLetters(t.Context(), "", 10000)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func scheduled(t *testing.T, q *store.Queue) []store.Entry {
	t.Helper()
	es, err := q.Scheduled(t.Context(), 0, 10000)
	if err != nil {
		t.Fatal(err)
	}
	return es
}

func waiting(t *testing.T, q *store.Queue) []store.Entry {
	t.Helper()
	es, err := q.Waiting(t.Context(), "", 10000)
	if err != nil {
		t.Fatal(err)
	}
	return es
}
