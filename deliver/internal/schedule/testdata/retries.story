# Ten retries are saved up; then it is one a second, or a fifth of the first attempts.
> offer incoming c1 u1
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
send c1/1/N1 incoming
> result c1/1/N1 retry
> next
due at 1s
# A first attempt does not wait for it.
> offer incoming c2 u3
> next
send c2/1/N2 incoming
due at 1s
> result c2/1/N2 retry
> at 999ms
> next
due at 1s
> at 1s
> next
send c1/1/N1 incoming
due at 2s
# What succeeds costs nothing: the next may follow at once.
> result c1/1/N1 deliver
delivered c1/1/N1 incoming
> next
send c2/1/N2 incoming
> result c2/1/N2 deliver
delivered c2/1/N2 incoming
