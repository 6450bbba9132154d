# What can wait leaves some of the rate, a slot, and the last of the day to calls that ring.
> offer missed c1 u1
> offer ended c2 by=u3 u3
> next rate=2 spare=2
due at 9m59s
> next rate=3 spare=2 live
due at 9m59s
> next rate=3 spare=2
send c2/1/N2 ended
due at 23h59m59s
> offer incoming c3 u4
> next rate=1 spare=2 live
send c3/1/N3 incoming
due at 23h59m59s
> next slots=3
due at 23h59m59s
> result c3/1/N3 deliver
delivered c3/1/N3 incoming
> next slots=3
send c1/1/N1 missed
