package rpc

// Follow begins to find the nodes of these services and to connect to them. A process that names at its start what it will call makes
// its first calls without waiting, and can make them when the registry goes away before the first.
func (c *Client) Follow(services ...string) error {
	for _, s := range services {
		if _, err := c.group(s, nil); err != nil {
			return err
		}
	}
	return nil
}
