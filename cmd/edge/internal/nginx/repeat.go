package nginx

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"calotype/kit/config"
)

// Repeat says which requests nginx keeps until they are answered, so that it can send them to another gateway: those with bodies of up to
// Size. Half of Room is for small ones, in nginx's memory; half for the others, in files of its folder.
type Repeat struct{ Size, Room config.Size }

// small is what part of the size a small one has.
const small = 8

// kept is a kind of what is kept.
type kept struct {
	Name    string
	Lengths string // a regular expression for the Content-Length, of those that are not of an earlier kind
	AtOnce  int
}

func (r Repeat) kinds() (all []kept) {
	if r.Size <= 0 {
		return nil
	}
	for _, k := range []struct {
		name string
		size config.Size
	}{{"small", r.Size / small}, {"large", r.Size}} {
		if n := r.Room / 2 / k.size; n > 0 {
			all = append(all, kept{Name: k.name, Lengths: atMost(int64(k.size)), AtOnce: int(n)})
		}
	}
	return all
}

// within bounds the room, so that its files take no more than half of the folder's file system, which may be a small one in memory: a
// body that does not fit is lost, where one that is not kept passes through.
func (r Repeat) within(dir string) Repeat {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || fs.Blocks == 0 || r.Size == 0 {
		return r
	}
	whole := fs.Blocks * uint64(fs.Bsize)
	if uint64(r.Room) > whole {
		r.Room = config.Size(whole)
	}
	return r
}

// atMost is a regular expression for the whole numbers from 0 to n as they are written: nginx cannot compare.
func atMost(n int64) string {
	digits := strconv.FormatInt(n, 10)
	all := []string{digits}
	for i, d := range digits {
		least := '0'
		if i == 0 && len(digits) > 1 {
			least = '1'
		}
		if d > least {
			all = append(all, fmt.Sprintf("%s[%c-%c][0-9]{%d}", digits[:i], least, d-1, len(digits)-1-i))
		}
	}
	if len(digits) > 1 {
		all = append(all, fmt.Sprintf("[0-9]{1,%d}", len(digits)-1))
	}
	return strings.Join(all, "|")
}
