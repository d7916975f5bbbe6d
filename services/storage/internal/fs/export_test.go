package fs

import "os"

// OnStep calls f after each step of a Put, a List, a Touch and a Delete.
func (s *Store) OnStep(f func(name string)) { s.step = f }

// OnCreate makes temporaries by f.
func (s *Store) OnCreate(f func(folder string) (*os.File, error)) { s.temps.create = f }
