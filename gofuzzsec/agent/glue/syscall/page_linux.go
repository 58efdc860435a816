package syscall

import "unsafe"

// gofuzzsecWatching maps the page that the kernel marks for this worker. Its place is told in the
// environment as "DESCRIPTOR OFFSET"; here is also where the descriptor is closed, before any code of
// the target could come upon it.
var gofuzzsecWatching = gofuzzsecMap(gofuzzsecTake("GOFUZZSEC_PAGE"))

//go:nocheckptr
func gofuzzsecMap(place string) bool {
	fd, offset, fields := int64(0), int64(0), 1
	for i := 0; i < len(place); i++ {
		switch digit := place[i]; {
		case digit == ' ':
			fd, offset, fields = offset, 0, fields+1
		case digit >= '0' && digit <= '9' && offset < 1<<40:
			offset = 10*offset + int64(digit-'0')
		default:
			return false
		}
	}
	if fields != 2 {
		return false
	}
	page, err := mmap(0, unsafe.Sizeof(gofuzzsecPage{}), PROT_READ|PROT_WRITE, MAP_SHARED, int(fd), offset)
	Close(int(fd))
	if err != nil {
		return false
	}
	gofuzzsecWatch((*gofuzzsecPage)(*(*unsafe.Pointer)(unsafe.Pointer(&page))))
	return true
}
