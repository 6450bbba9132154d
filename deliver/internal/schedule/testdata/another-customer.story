# The organization becomes another customer's while the call lasts: what is queued
# goes where it was to go, and N1 of the other one is somebody else.
> offer incoming c1 u1
> offer answered c1 u1 by=u1 of=RES
> next
send c1/1/N1 incoming
send c1/2/N1 answered
> offer ended c1 u1 of=
unmapped c1/3/user-u1 ended: no customer
> next
> restart
> offer incoming c2 u1
> offer incoming c2 u3 of=
unmapped c2/2/user-u3 incoming: no customer

# What waits and is queued before it: the call may be over.
> offer incoming c4 u1
> offer missed c4 u1 blind
> next
send c1/1/N1 incoming
send c2/1/N1 incoming
send c1/2/N1 answered
due at 29s
> known
superseded c4/1/N1 incoming: the call was over first
> next
due at 23h59m59s
