# A limit that hits who is not tried again, because the call is over, holds back everybody all the same.
> offer incoming c1 u1
> next
send c1/1/N1 incoming
> offer missed c1 u1
> result c1/1/N1 pause wait=2s
superseded c1/1/N1 incoming: the call was over first
> next
due at 2s
