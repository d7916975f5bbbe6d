package suite

import (
	"calotype/kit/config"
	"calotype/kit/live"
)

// CheckLive tells what is wrong with a live document, whichever process its parts are for. Here alone all settings are known: a running
// process passes over sections that are none of its own.
func CheckLive(name string, text []byte) error {
	_, err := config.Overlay(DefaultConfig("data"), config.Document{Name: name, Text: text})
	return err
}

// LiveStore is where the configuration has the live document of a cluster.
func (c *Config) LiveStore() (*live.Store, error) { return live.Open(c.Live, c.Registry) }
