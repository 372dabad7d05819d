package store

import (
	"context"
	"sync/atomic"
)

// Post is a message on its way, for a caller who waits for something that comes of it,
// and so need not wake up when it has been sent.
type Post struct {
	p  *pipe
	c  *call  // nil: it was sent already
	id string // if it was
}

// Sent is a Post that has ended already.
func Sent(id string) Post { return Post{id: id} }

// Poster hears of messages that were posted and could not be sent. It must not block.
type Poster interface {
	// Unsent is called once at most, with the token of the message.
	Unsent(token uint64, err error)
}

// posted is what a call has that was posted.
type posted struct {
	by    Poster // nil: the caller waits for the call
	token uint64
	name  string // the message's own id
	as    *additions

	id  string // what came of it
	err error
	// holders are the flush, until that is known, and the caller. Who lets go last
	// recycles the call.
	holders atomic.Int32
}

// Post is Send for who waits for something that comes of the message: it returns when
// the message is in line. If that cannot be sent then, by hears of it. The caller ends
// the Post, once, by Release or GiveUp.
func (q *Queue) Post(ctx context.Context, e *Envelope, by Poster, token uint64) (Post, error) {
	p, ok := q.s.pipe.(*pipe)
	if !ok || listingDue(q.listed.Load()) { // what a cluster says may be to go elsewhere
		id, err := q.Send(ctx, e)
		return Sent(id), err
	}
	as := newAdditions(1)
	cmd := as.message(q.Stream, e)
	c := p.newCall()
	c.one[0] = cmd
	c.cmds = c.one[:]
	alone, err := p.runIfAlone(ctx, c)
	if err == nil && !alone {
		c.post = posted{by: by, token: token, name: e.ID, as: as}
		c.post.holders.Store(2)
		cmd.own() // the caller may hear of something else before it is written
		err = p.lineUp(c)
	}
	switch {
	case err != nil:
		return Post{}, classify(err)
	case !alone:
		return Post{p: p, c: c}, nil
	}
	defer as.recycle()
	id, err := sent(cmd, e.ID)
	return Sent(id), err
}

// end is called by the flush when the replies to a call are there.
func (p *pipe) end(c *call) {
	if c.post.by == nil {
		c.done <- struct{}{}
		return
	}
	c.post.id, c.post.err = sent(c.cmds[0].(*addition), c.post.name)
	c.post.as.recycle()
	by, token, err := c.post.by, c.post.token, c.post.err
	p.letGo(c)
	if err != nil {
		by.Unsent(token, err)
	}
}

// letGo is called by each holder of a post.
func (p *pipe) letGo(c *call) {
	if c.post.holders.Add(-1) == 0 {
		p.recycle(c)
	}
}

// Release ends a Post when what was waited for is there.
func (p *Post) Release() {
	if p.c != nil {
		p.p.letGo(p.c)
	}
}

// GiveUp ends a Post because ctx has ended. Without an error the message was sent.
func (p *Post) GiveUp(ctx context.Context) (id string, err error) {
	c := p.c
	switch {
	case c == nil:
		return p.id, nil
	case p.p.drop(c):
		return "", notInTime(ctx)
	case c.post.holders.Load() == 1:
		id, err = c.post.id, c.post.err
	default:
		err = &unknownError{context.Cause(ctx)}
	}
	p.p.letGo(c)
	return id, err
}
