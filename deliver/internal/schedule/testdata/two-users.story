# u1 and u2 are N1, u5 is nobody. One notification each, until the last of them has left.
> offer incoming c1 u1 u5
unmapped c1/1/user-u5 incoming: not known
> next
send c1/1/N1 incoming
> result c1/1/N1 deliver
delivered c1/1/N1 incoming
> offer incoming c1 u2
superseded c1/2/N1 incoming: another user of this negotiator already brought it
> offer answered c1 by=u2 u1 u2
> next
send c1/3/N1 answered
> result c1/3/N1 deliver
delivered c1/3/N1 answered
> offer ended c1 by=u2 u1
superseded c1/4/N1 ended: another user of this negotiator is still in the call
> offer ended c1 by=u2 u2
> next
send c1/5/N1 ended
> result c1/5/N1 deliver
delivered c1/5/N1 ended

# Another life of the same call.
> offer incoming c1 u2
> next
send c1/6/N1 incoming
