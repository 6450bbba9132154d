# A retry leaves to calls that ring what is kept for them: a slot, and some of the rate.
> offer incoming c1 u1
> next rate=3 spare=2
send c1/1/N1 incoming
> result c1/1/N1 retry
> next rate=2 spare=2
due at 29s
> offer incoming c2 u3
> next rate=2 spare=2
send c2/1/N2 incoming
due at 29s
> next slots=2
due at 29s
> result c2/1/N2 deliver
delivered c2/1/N2 incoming
> next slots=2
send c1/1/N1 incoming
