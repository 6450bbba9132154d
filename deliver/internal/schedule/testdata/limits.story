# A limit holds back everybody for as long as it says; then fewer go out at a time.
> offer incoming c1 u1 u3 u4
> next
send c1/1/N1 incoming
send c1/1/N2 incoming
send c1/1/N3 incoming
> result c1/1/N1 pause wait=2s
> result c1/1/N2 deliver
delivered c1/1/N2 incoming
> result c1/1/N3 deliver
delivered c1/1/N3 incoming
> offer incoming c2 u1 u3 u4
> next
due at 2s
> at 2s
> next
send c1/1/N1 incoming
send c2/1/N1 incoming
due at 29s
