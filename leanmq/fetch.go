package leanmq

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// readWait is how long a read waits for a first message; the store may bound it
// further.
const readWait = 2 * time.Second

// fetcher reads for all pools of a client over one connection; on a cluster, for all
// pools whose queues have one hash tag. While all is quiet, one read blocks on all queues
// at once, so that an idle queue costs another one nothing. A queue that filled its last
// read is hot: it is read by itself, with a count of its own and without blocking, until
// it runs dry.
type fetcher struct {
	c      *Client
	reader *store.Reader
	wake   chan struct{} // a source wants messages while no read is under way
	cancel context.CancelFunc
	done   chan struct{}
	helper sync.WaitGroup // interrupters

	mu           sync.Mutex
	sources      []*source
	reads        uint64 // finished ones
	reading      bool
	blocked      bool // the read under way may block
	interrupting bool
	finished     *sync.Cond
}

func newFetcher(c *Client) *fetcher {
	ctx, cancel := context.WithCancel(context.Background())
	f := &fetcher{
		c: c, reader: c.s.NewReader(), cancel: cancel,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	f.finished = sync.NewCond(&f.mu)
	go f.run(ctx)
	return f
}

// add adds a source unless it is there already.
func (f *fetcher) add(s *source) {
	f.mu.Lock()
	if !slices.Contains(f.sources, s) {
		f.sources = append(f.sources, s)
	}
	f.mu.Unlock()
	f.poke(s)
}

// remove makes sure that nothing more is delivered from these sources.
func (f *fetcher) remove(sources []*source) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sources = slices.DeleteFunc(f.sources, func(s *source) bool { return slices.Contains(sources, s) })
	f.waitReadLocked(sources)
}

// passBy waits until the read under way, if these sources are part of it, is over.
func (f *fetcher) passBy(sources []*source) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waitReadLocked(sources)
}

func (f *fetcher) waitReadLocked(sources []*source) {
	inRead := func(s *source) bool { return s.inRead }
	for this := f.reads; f.reading && f.reads == this && slices.ContainsFunc(sources, inRead); {
		if f.blocked {
			f.interruptLocked()
		}
		f.finished.Wait()
	}
}

// close stops the fetcher; its sources are gone before.
func (f *fetcher) close() {
	f.cancel()
	f.mu.Lock()
	if f.blocked {
		f.interruptLocked()
	}
	f.mu.Unlock()
	<-f.done
	f.helper.Wait()
	_ = f.reader.Close()
}

// poke tells the fetcher that the source may want messages again.
func (f *fetcher) poke(s *source) {
	if s.p.credit(s.level) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.blocked:
		signal(f.wake)
	case !s.inRead && slices.Contains(f.sources, s):
		f.interruptLocked()
	}
}

// interruptLocked ends the blocked read that is under way. It may have been
// issued and not yet arrived: so it is tried until that read is over.
func (f *fetcher) interruptLocked() {
	if f.interrupting {
		return
	}
	f.interrupting = true
	this := f.reads
	f.helper.Go(func() {
		pause := 50 * time.Microsecond
		for {
			f.reader.Interrupt(context.Background())
			f.mu.Lock()
			over := f.reads != this
			f.mu.Unlock()
			if over {
				return // the next read has an interrupter of its own
			}
			time.Sleep(pause)
			pause = min(2*pause, 5*time.Millisecond)
		}
	})
}

// pass is one read of several queues.
type pass struct {
	sources []*source
	queues  []*store.Queue
	epochs  []string
	got     [][]store.Entry
	filled  []int // which of got there is something in
	count   int
}

func (ps *pass) add(s *source) {
	if len(ps.sources) == 0 || s.credit < ps.count {
		ps.count = s.credit
	}
	ps.sources = append(ps.sources, s)
	ps.queues = append(ps.queues, s.q)
	ps.epochs = append(ps.epochs, s.epoch)
	if len(ps.got) < len(ps.sources) {
		ps.got = append(ps.got, nil)
	}
}

// reset empties the pass; what it grew to is kept for the next one.
func (ps *pass) reset() {
	clear(ps.sources)
	ps.sources, ps.queues, ps.epochs = ps.sources[:0], ps.queues[:0], ps.epochs[:0]
}

func (f *fetcher) run(ctx context.Context) {
	defer close(f.done)
	o := outage{log: f.c.log, what: "read", hooks: f.c.hooks, with: &f.c.reading}
	defer o.leave()
	var together pass
	var hot []pass
	for ctx.Err() == nil {
		hot = f.plan(&together, hot)
		var err error
		switch {
		case len(hot) == 0 && len(together.sources) == 0:
			select {
			case <-ctx.Done():
			case <-f.wake:
			}
			continue
		case len(hot) == 0:
			err = f.read(ctx, &together, readWait)
		default:
			if len(together.sources) > 0 {
				err = f.read(ctx, &together, 0)
			}
			for i := 0; i < len(hot) && err == nil; i++ {
				err = f.read(ctx, &hot[i], 0)
			}
		}
		f.finish()
		// The handlers first: issuing the next read takes longer than starting them.
		runtime.Gosched()
		switch {
		case err == nil:
			o.ok()
		case ctx.Err() != nil:
		case errors.Is(err, store.ErrNoGroup):
			// Flushed, restarted empty or failed over: make the groups again.
			o.failed(ctx, err)
			f.rejoin(ctx)
		default:
			o.failed(ctx, err)
		}
	}
}

// plan decides what to read next: the hot queues each by itself, the others
// together.
func (f *fetcher) plan(together *pass, hot []pass) []pass {
	together.reset()
	hot = hot[:0]
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sources {
		s.look()
		s.inRead = s.credit > 0
		switch {
		case !s.inRead:
		case s.hot:
			s.hot = false                          // unless it fills this read as well
			hot = slices.Grow(hot, 1)[:len(hot)+1] // with what was there before
			one := &hot[len(hot)-1]
			one.reset()
			one.add(s)
		default:
			together.add(s)
		}
	}
	f.reading = len(hot)+len(together.sources) > 0
	f.blocked = f.reading && len(hot) == 0
	return hot
}

// look brings what the fetcher knows of the pool up to date.
func (s *source) look() {
	if s.p.mu.version() == s.version {
		return
	}
	s.version = s.p.mu.look(func() { s.credit, s.epoch = s.p.creditLocked(s.level), s.p.epoch })
}

func (f *fetcher) finish() {
	f.mu.Lock()
	f.reads++
	f.reading, f.blocked, f.interrupting = false, false, false
	f.finished.Broadcast()
	f.mu.Unlock()
}

// read reads one pass and delivers what came.
func (f *fetcher) read(ctx context.Context, ps *pass, wait time.Duration) error {
	err := f.reader.Read(ctx, f.c.instance, ps.queues, ps.count, wait, func(q int, e store.Entry) {
		if len(ps.got[q]) == 0 {
			ps.filled = append(ps.filled, q)
		}
		ps.got[q] = append(ps.got[q], e)
	})
	for _, i := range ps.filled {
		s := ps.sources[i]
		s.p.deliver(s, ps.got[i], ps.epochs[i])
		s.hot = len(ps.got[i]) == ps.count
		clear(ps.got[i])
		ps.got[i] = ps.got[i][:0]
	}
	ps.filled = ps.filled[:0]
	return err
}

// rejoin makes the group of every queue again.
func (f *fetcher) rejoin(ctx context.Context) {
	f.mu.Lock()
	sources := slices.Clone(f.sources)
	f.mu.Unlock()
	for _, s := range sources {
		if err := s.join(ctx); err != nil {
			return // the next read fails again
		}
	}
}
