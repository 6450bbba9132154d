package reapit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"syscall"
)

// classify names the failure of a request. caller is the context that the
// caller gave, without the limits that were added to it.
func classify(caller context.Context, err error) Kind {
	switch {
	case errors.Is(caller.Err(), context.Canceled):
		return Cancelled
	case is[*net.DNSError](err):
		return DNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case isTLS(err):
		return TLS
	case isTimeout(err):
		return Timeout
	case isMalformed(err):
		return Malformed
	default:
		return Network
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isTLS(err error) bool {
	return errors.Is(err, http.ErrSchemeMismatch) ||
		is[tls.RecordHeaderError](err) || is[tls.AlertError](err) || is[*tls.CertificateVerificationError](err) ||
		is[x509.UnknownAuthorityError](err) || is[x509.HostnameError](err) || is[x509.CertificateInvalidError](err)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// isMalformed goes by words where net/http has no type for them.
func isMalformed(err error) bool {
	return is[textproto.ProtocolError](err) || strings.Contains(err.Error(), "malformed")
}
