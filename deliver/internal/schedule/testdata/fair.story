# Two customers, one with a lot to tell: they take turns, and the oldest of each goes first.
> offer incoming c1 u1
> offer incoming c2 u3
> offer incoming c3 u4
> offer incoming c4 u1
> at 1s
> offer incoming d1 u1 of=RES
> offer incoming d2 u3 of=RES
> next rate=1
send c1/1/N1 incoming
due at 29s
> next rate=2
send d1/1/N1 incoming
send c2/1/N2 incoming
due at 29s
> next rate=1
send d2/1/N2 incoming
due at 29s
> result c1/1/N1 deliver
delivered c1/1/N1 incoming
> next rate=1
send c3/1/N3 incoming
due at 29s
> result d1/1/N1 deliver
delivered d1/1/N1 incoming
> next rate=5
send c4/1/N1 incoming
