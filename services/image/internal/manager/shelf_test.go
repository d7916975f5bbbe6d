package manager_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// shelf plays the storage service. Its zero value has whatever somebody touches.
type shelf struct {
	strict  bool                     // what was not put cannot be touched
	page    int                      // how many blobs it looks through at once, when that is less than asked for
	deletes func(d job.Digest) error // comes before each deletion
	now     func() time.Time         // nil: the clock
	mu      sync.Mutex
	used    map[job.Digest]time.Time
}

func (s *shelf) put(at time.Time, all ...job.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range all {
		s.keep(at, d)
	}
}

func (s *shelf) keep(at time.Time, d job.Digest) {
	if s.used == nil {
		s.used = map[job.Digest]time.Time{}
	}
	s.used[d] = at
}

func (s *shelf) all() (all []job.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.used {
		all = append(all, d)
	}
	slices.Sort(all)
	return all
}

func (s *shelf) Touch(_ context.Context, d job.Digest) error {
	now := time.Now
	if s.now != nil {
		now = s.now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.used[d]; s.strict && !there {
		return fault.New(fault.NotFound, "BLOB_NOT_FOUND", "there is no blob %s", d)
	}
	s.keep(now(), d)
	return nil
}

// Unused gives tokens that are the last digest that was looked at.
func (s *shelf) Unused(_ context.Context, since time.Time, token string, limit int) (found []job.Digest, next string, _ error) {
	if s.page > 0 {
		limit = min(limit, s.page)
	}
	all := s.all()
	from, is := slices.BinarySearch(all, job.Digest(token))
	if is {
		from++
	}
	for i, d := range all[from:] {
		if i == limit {
			return found, string(all[from+i-1]), nil
		}
		s.mu.Lock()
		at, there := s.used[d]
		s.mu.Unlock()
		if there && at.Before(since) {
			found = append(found, d)
		}
	}
	return found, "", nil
}

func (s *shelf) Delete(_ context.Context, d job.Digest, unusedSince time.Time) error {
	if s.deletes != nil {
		if err := s.deletes(d); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, there := s.used[d]; there && !at.Before(unusedSince) {
		return fault.New(fault.Conflict, "BLOB_IN_USE", "blob %s was used", d)
	}
	delete(s.used, d)
	return nil
}
