# One's own answer still wants its pop: incoming, then answered.
> offer incoming c1 u1
> next
send c1/1/N1 incoming
> result c1/1/N1 retry wait=1s
> offer answered c1 by=u1 u1
> next
due at 1s
> at 1s
> next
send c1/1/N1 incoming
> result c1/1/N1 deliver
delivered c1/1/N1 incoming
> next
send c1/2/N1 answered
> result c1/2/N1 deliver
delivered c1/2/N1 answered

# The pop expired: the own answer is sent all the same, and then its end.
> offer incoming c2 u1 ago=31s
> offer answered c2 by=u1 u1
> next
expired c2/1/N1 incoming: not delivered within 30s
send c2/2/N1 answered
> result c2/2/N1 deliver
delivered c2/2/N1 answered
> offer ended c2 by=u1 u1
> next
send c2/3/N1 ended
> result c2/3/N1 deliver
delivered c2/3/N1 ended
