# Nothing is begun that would be broken off before it is answered: it may be shown all the same, and nobody would know.
> offer incoming c1 u1
> at 28.9s
> next rate=0 spare=0
due at 29s
> at 29.1s
> next
expired c1/1/N1 incoming: not delivered within 30s
