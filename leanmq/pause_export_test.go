package leanmq

// SeesPause reports whether all of the client's consumers know that they are paused.
func (c *Client) SeesPause() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.engine == nil {
		return false
	}
	for _, p := range c.engine.pools {
		p.mu.Lock()
		paused := p.settings.Paused
		p.mu.Unlock()
		if !paused {
			return false
		}
	}
	return true
}
