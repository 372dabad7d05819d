package leanmq

import (
	"context"
	"time"
)

const (
	// clockAge is how old a measurement of the server's clock gets.
	clockAge = 10 * time.Second
	// shortTrip is a round trip of which the half does not matter.
	shortTrip = 10 * time.Millisecond
	// clockTries is how often a server is asked at most to get one. The first time makes
	// the connection as well.
	clockTries = 3
)

// syncClock measures how far the server's clock is from ours, by which deadlines
// are told, unless it has just been done. It is as exact as the round trip is short.
func (c *Client) syncClock(ctx context.Context) error {
	before := time.Now()
	if last := c.synced.Load(); before.UnixNano()-last < int64(clockAge) || !c.synced.CompareAndSwap(last, before.UnixNano()) {
		return nil
	}
	_, err := c.measureClock(ctx)
	return err
}

// measureClock returns the time of ours at which the server told its own.
func (c *Client) measureClock(ctx context.Context) (told time.Time, err error) {
	c.measuring.Lock()
	defer c.measuring.Unlock()
	server, told, err := askClock(func() (time.Time, error) { return c.s.Now(ctx) })
	if err == nil {
		c.skew.Store(int64(server.Sub(told)))
	}
	return told, err
}

// askClock asks a clock, and again if the answer took long. It returns the quickest
// answer and the time of ours, by half of the round trip, at which it was given.
func askClock(ask func() (time.Time, error)) (server, told time.Time, err error) {
	var shortest time.Duration
	for try := range clockTries {
		before := time.Now()
		answer, err := ask()
		trip := time.Since(before)
		switch {
		case err != nil && try == 0:
			return server, told, err
		case err != nil:
			return server, told, nil // it is no worse than one answer
		case try == 0 || trip < shortest:
			server, told, shortest = answer, before.Add(trip/2), trip
		}
		if shortest <= shortTrip {
			break
		}
	}
	return server, told, nil
}

// local translates a time of the server's clock into ours.
func (c *Client) local(server time.Time) time.Time {
	return server.Add(-time.Duration(c.skew.Load()))
}
